/**
 * What the checks found about an action, put together: plain data, so that a run keeps it and a what-if makes it anew.
 */
import type { ErrorCode } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import type { GovernanceDecision } from '../runs/event.ts';
import { argumentsHash, type GovernedAction, nameOfAction } from './action.ts';
import type { Demanded } from './governor.ts';
import type { CheckName, Finding, Obligation, Refusal, ShadowFinding } from './verdict.ts';

export interface Judgement {
  readonly kind: 'allow' | 'deny' | 'hold';
  readonly rule: string;
  readonly reason: string;
  /** Of a denial: what the asker is told it is. */
  readonly code: ErrorCode;
  readonly retryAfterMs: number | null;
  readonly refusal?: Refusal | undefined;
  readonly obligations: readonly Obligation[];
  /** As the checks left them. */
  readonly args: JsonObject;
  readonly demands: readonly Demanded[];
  /** Each check that was made with what it found, e.g. `policy:allow:reads`. */
  readonly checks: readonly string[];
  readonly shadow: ShadowFinding | null;
}

/** Puts findings together as they come; after a denial there is nothing to add. */
export interface Gathering {
  /** @returns whether the action is denied */
  add(check: CheckName, findings: readonly Finding[]): boolean;
  readonly demands: readonly Demanded[];
  /** The arguments so far. */
  readonly args: JsonObject;
  judgement(): Judgement;
}

export function gatherFindings(asked: JsonObject): Gathering {
  const demands: Demanded[] = [];
  const obligations: Obligation[] = [];
  const checks: string[] = [];
  let args = asked;
  let shadow: ShadowFinding | null = null;
  let denial: (Extract<Finding, { kind: 'deny' }> & { check: CheckName }) | undefined;
  let passed: { rule: string; reason: string } = { rule: 'default', reason: 'Nothing stands against it.' };
  return {
    demands,
    get args() {
      return args;
    },
    add(check, findings) {
      for (const finding of findings) {
        checks.push(`${check}:${finding.kind}:${finding.rule}`);
        if (finding.kind === 'deny') {
          denial = { ...finding, check };
          break;
        }
        if (finding.kind === 'hold') {
          const { rule, reason, demand } = finding;
          join(demands, { rule: `${check}/${rule}`, reason, demand });
          continue;
        }
        if (finding.args !== undefined) args = finding.args;
        if (finding.shadow !== undefined) shadow = finding.shadow;
        obligations.push(...(finding.obligations ?? []));
        if (finding.reason !== undefined) passed = { rule: `${check}/${finding.rule}`, reason: finding.reason };
      }
      return denial !== undefined;
    },
    judgement() {
      const base = { obligations, args, demands, checks, shadow };
      if (denial !== undefined) {
        const { check, rule, reason, code = 'forbidden', retryAfterMs = null, refusal } = denial;
        const denied = { kind: 'deny', rule: `${check}/${rule}`, reason, code, retryAfterMs } as const;
        return { ...base, ...denied, ...(refusal !== undefined && { refusal }) };
      }
      const [first] = demands;
      const { rule, reason } = first ?? passed;
      return {
        ...base,
        kind: first === undefined ? 'allow' : 'hold',
        rule,
        reason,
        code: 'forbidden',
        retryAfterMs: null,
      };
    },
  };
}

/** Two demands on the same parties are one, with the greater quorum. */
function join(demands: Demanded[], added: Demanded): void {
  const key = (each: Demanded) => each.demand.parties.join('\n');
  const index = demands.findIndex((each) => key(each) === key(added));
  const known = demands[index];
  if (known === undefined) {
    demands.push(added);
    return;
  }
  const stronger = added.demand.quorum > known.demand.quorum ? added.demand : known.demand;
  demands[index] = { ...known, demand: stronger };
}

export interface DecisionFacts {
  readonly accountable: string | null;
  readonly responsible: readonly string[];
  /** Hashes of the documents; null where there is none. */
  readonly policy: string | null;
  readonly raci: string | null;
}

/** The judgement as it is kept. @param facts arguments that the policy keeps */
export function decisionOf(
  action: GovernedAction,
  judgement: Judgement,
  known: DecisionFacts,
  facts: JsonObject,
): GovernanceDecision {
  const { what, name, agentId, caller, environment, costUsd } = action;
  const { kind, rule, reason, demands, checks, shadow, args } = judgement;
  return {
    step: name,
    verdict: kind,
    outcome: false,
    rule,
    reason,
    accountable: known.accountable,
    responsible: [...known.responsible],
    action: nameOfAction(what),
    kind: what.kind,
    type: what.type,
    target: what.target,
    action_class: what.actionClass,
    effect: what.effect,
    entity_id: what.entityId ?? null,
    agent_id: agentId,
    user_id: caller.userId,
    environment,
    args_hash: argumentsHash(args),
    facts,
    cost_usd: costUsd ?? null,
    checks: [...checks],
    policy: known.policy,
    raci: known.raci,
    ...(demands.length > 0 && { demands: demands.map(viewDemand) }),
    ...(shadow !== null && { shadow }),
  };
}

function viewDemand({ rule, demand: { parties, assignees, quorum } }: Demanded) {
  return { rule, parties: [...parties], assignees: [...assignees], quorum };
}
