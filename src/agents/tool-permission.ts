/** A tool call as the governor judges it. */
import { AosError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import { checkSchema } from '../core/schema-check.ts';
import type { RunScope } from '../engine/engine.ts';
import type { ProposedAction } from '../governance/action.ts';
import type { Governor } from '../governance/governor.ts';
import { refusalOf, settlementOf, type VerdictSettlement } from '../governance/verdict.ts';
import type { KeyedEvent } from '../runs/event.ts';
import type { Tool } from './tool.ts';

/** A call whose arguments fit the tool. */
export interface PlannedUse extends Pick<ProposedAction, 'name' | 'agentId' | 'title' | 'onQuestion' | 'hasBegun'> {
  readonly tool: Tool;
  readonly args: JsonObject;
  /** What the tool's schema made of them. */
  readonly input: unknown;
  /** Whether somebody has to agree whatever the rules say. */
  readonly asksApproval: boolean;
}

/** What it may be used with, or why not; the log is told of `event` in the step that acts on it. */
export type ToolPermission = Judged &
  ({ readonly args: JsonObject; readonly input: unknown } | { readonly refusal: AosError });

/** What the step that acts on a verdict does along with it. */
export interface Judged {
  readonly event: KeyedEvent | undefined;
  /** What budgets have set aside, settled as used or, after a refusal, given back. */
  readonly settling: VerdictSettlement;
}

/** @throws the scope's reason when the run is to end */
export async function permitTool(governor: Governor, scope: RunScope, use: PlannedUse): Promise<ToolPermission> {
  const { tool, args, input, ...proposal } = use;
  const effect = tool.effectOf?.(input) ?? tool.effect;
  const verdict = await governor.allow(scope, {
    ...proposal,
    what: { kind: 'tool', type: tool.name, target: null, actionClass: null, effect },
    args,
    description: tool.description,
  });
  const { event } = verdict;
  const givenBack = { event, settling: settlementOf(verdict, false) };
  if (verdict.kind !== 'allow') {
    const { code, message, facts, reason = 'GOVERNANCE_DENIED' } = refusalOf(verdict);
    const refusal = new AosError(code, `the use of ${tool.name} was not allowed: ${message}`, { facts, reason });
    return { ...givenBack, refusal };
  }
  const judged = { event, settling: settlementOf(verdict, true) };
  if (verdict.args === args) return { ...judged, args, input };
  try {
    const changed = checkSchema(tool.input, verdict.args, `what ${tool.name} may be given`);
    return { ...judged, args: verdict.args, input: changed };
  } catch (thrown) {
    if (thrown instanceof AosError) return { ...givenBack, refusal: thrown };
    throw thrown;
  }
}
