/**
 * The form of a file of policy rules. A rule says for which actions it is, and when, in CEL (the Common Expression
 * Language); the one variable is `action`: kind, type, target, class, effect, name, agent, user, tenant, environment,
 * entity, cost_usd, args.
 */
import { z } from 'zod';
import { approvalPriorities } from '../escalation.ts';

export const policyModes = ['enforce', 'shadow'] as const;
/** `shadow`: what the rules say is written down, and nothing is stopped. */
export type PolicyMode = (typeof policyModes)[number];

const rule = z.strictObject({
  id: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,99}$/, { error: 'must be 1 to 100 of a-z 0-9 . _ -' }),
  /** `hold`: allowed once the approvers agree. A denial outweighs a hold, a hold an allowance. */
  effect: z.enum(['allow', 'deny', 'hold']),
  /** Patterns of action names; all when left out. */
  actions: z.array(z.string().min(1).max(300)).min(1).max(200).optional(),
  /** CEL; always when left out. */
  when: z.string().min(1).max(4000).optional(),
  /** A sentence for people. */
  reason: z.string().min(1).max(500),
  /** Parties of RACI that must agree, each; the accountable one when left out. */
  approvers: z.array(z.string().min(1).max(200)).min(1).max(10).optional(),
  quorum: z.int().min(1).max(20).optional(),
  priority: z.enum(approvalPriorities).optional(),
  mode: z.enum(policyModes).optional(),
});

export const policySchema = z.strictObject({
  version: z.literal(1),
  name: z.string().min(1).max(100),
  mode: z.enum(policyModes).default('enforce'),
  /**
   * Arguments that are kept with each decision, as dotted paths, so that it can be decided again: amounts, currencies,
   * never anything about a person. Of all others only the hash is kept.
   */
  keep: z
    .array(
      z.string().regex(/^[A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)*$/, { error: 'must be a path such as order.amount' }),
    )
    .max(50)
    .default([]),
  rules: z.array(rule).max(1000),
});

export type PolicyDocument = z.output<typeof policySchema>;
export type PolicyRule = z.output<typeof rule>;
