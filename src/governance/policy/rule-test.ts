/**
 * Tests of rules, as files beside them: each case is an action and what the policy is to say to it. They run with the
 * other tests here, and an operator's own with the what-if script.
 */
import { z } from 'zod';
import type { JsonObject } from '../../core/json.ts';
import type { Policy } from './policy.ts';

const caseSchema = z.strictObject({
  /** What is expected, in words. */
  it: z.string().min(1),
  action: z.looseObject({
    /** `fabric:crm:update`: kind, target and type follow from it unless they are given. */
    name: z.string().min(1),
    effect: z.enum(['read', 'write', 'external']),
    environment: z.string().min(1),
    args: z.record(z.string(), z.json()).default({}),
  }),
  expect: z.enum(['allow', 'deny', 'hold']),
  /** The id of the rule that decides. */
  rule: z.string().optional(),
  approvers: z.array(z.string()).optional(),
  quorum: z.int().optional(),
  /** The id of a rule that is only watched and would have stopped it. */
  shadow: z.string().optional(),
});

export const ruleTestSchema = z.strictObject({
  /** The file of the policy, beside this one. */
  policy: z.string().min(1),
  cases: z.array(caseSchema).min(1),
});

export type RuleCase = z.output<typeof caseSchema>;

/** @returns what is not as expected, in a sentence; undefined when all is */
export function tryCase(policy: Policy, given: RuleCase): string | undefined {
  const { kind, rule, holds, shadow } = policy.decide(inputOf(given.action));
  const approvers = holds.flatMap((each) => each.approvers ?? []);
  const quorum = Math.max(1, ...holds.map((each) => each.quorum ?? 1));
  const differences = [
    differs('verdict', given.expect, kind),
    differs('rule', given.rule, rule),
    differs('approvers', given.approvers?.join(', '), approvers.join(', ')),
    differs('quorum', given.quorum, quorum),
    differs('shadow', given.shadow, shadow?.rule),
  ].filter((difference) => difference !== undefined);
  return differences.length === 0 ? undefined : `${given.it}: ${differences.join(', ')}`;
}

function differs(what: string, expected: unknown, actual: unknown): string | undefined {
  return expected === undefined || expected === actual ? undefined : `${what} is ${actual}, expected ${expected}`;
}

function inputOf(action: RuleCase['action']): JsonObject {
  const [kind = '', ...rest] = action.name.split(':');
  const type = rest.at(-1) ?? '';
  const target = rest.slice(0, -1).join(':');
  const absent = { class: '', entity: '', agent: '', user: '', tenant: 'default', cost_usd: 0 };
  return { kind, type, target, ...absent, ...(action as JsonObject) };
}
