/**
 * What would have been: recorded decisions made again under other rules, and the difference. Pure: it gets what was
 * decided and the rules, and asks nobody.
 */

import { actionKinds, environments, type GovernedAction } from '../action.ts';
import { type AccountAsk, accountsOf, type Budget } from '../budget/budget.ts';
import type { KeptDecision } from '../decision-store.ts';
import { gatherFindings, type Judgement } from '../judgement.ts';
import { checkRaci, standingOf } from '../raci/raci-check.ts';
import type { Rules } from '../rulebook.ts';
import { argumentsOfFacts, argumentsRead } from './argument.ts';
import { checkPolicy } from './policy-check.ts';

export interface WhatIf {
  /** As recorded, in any order; outcomes of holds are left out. */
  readonly decisions: readonly KeptDecision[];
  /** What is to hold. */
  readonly rules: Rules;
  /** Paths of arguments that were kept when the decisions were made. */
  readonly kept: readonly string[];
  /** The plane an action takes, before and after; null for what takes none. */
  readonly route?: {
    before(decision: KeptDecision): string | null;
    after(decision: KeptDecision): string | null;
  };
  readonly budget?: { readonly limitUsd: number; readonly per: 'tenant' | 'agent' | 'run' } | undefined;
  /**
   * Budgets in place of those that held: what they have too little for would have waited for somebody. Of the recorded
   * actions they count tool calls and money; runs are taken for runs without sub-runs, of no particular workflow.
   */
  readonly budgets?: readonly Budget[] | undefined;
}

export interface Difference {
  readonly id: string;
  readonly at: string;
  readonly action: string;
  readonly agent_id: string | null;
  readonly before: string;
  readonly after: string;
  readonly reason: string;
}

export interface WhatIfReport {
  /** Decisions that were made again. */
  readonly decided: number;
  readonly unchanged: number;
  readonly newly_blocked: readonly Difference[];
  readonly newly_gated: readonly Difference[];
  /** Denied or held before, allowed now. */
  readonly newly_allowed: readonly Difference[];
  /** `before` and `after` are planes. */
  readonly rerouted: readonly Difference[];
  /** `before` and `after` are accountable parties. */
  readonly reassigned: readonly Difference[];
  /** Not decided again: the new rules look at arguments that were not kept. `after` names them. */
  readonly undecidable: readonly Difference[];
  /** US dollars of what is allowed or held, as far as costs were known. */
  readonly cost_usd: { readonly before: number; readonly after: number };
  /** How often each person is asked; `*` stands for everybody of the tenant. */
  readonly approvals: readonly { readonly person: string; readonly before: number; readonly after: number }[];
}

type Kind = Judgement['kind'];

export function whatIf(asked: WhatIf): WhatIfReport {
  const { rules, route } = asked;
  const blocked: Difference[] = [];
  const gated: Difference[] = [];
  const allowed: Difference[] = [];
  const rerouted: Difference[] = [];
  const reassigned: Difference[] = [];
  const undecidable: Difference[] = [];
  const cost = { before: 0, after: 0 };
  const approvals = new Map<string, { before: number; after: number }>();
  const spent = new Map<string, number>();
  let decided = 0;
  let unchanged = 0;
  const count = (when: 'before' | 'after', assignees: readonly string[]) => {
    for (const person of assignees.length === 0 ? ['*'] : assignees) {
      const counts = approvals.get(person) ?? { before: 0, after: 0 };
      counts[when] += 1;
      approvals.set(person, counts);
    }
  };
  const chronological = asked.decisions
    .filter(({ outcome }) => !outcome)
    .toSorted((one, other) => (one.at < other.at ? -1 : one.at > other.at ? 1 : 0));

  for (const decision of chronological) {
    const difference = (before: string, after: string, reason: string): Difference => {
      const { id, at, action, agent_id } = decision;
      return { id, at, action, agent_id, before, after, reason };
    };
    const missing = missingArguments(asked, decision);
    if (missing.length > 0) {
      const reason = 'The rules look at arguments that were not kept with the decision.';
      undecidable.push(difference(decision.verdict, missing.join(', '), reason));
      continue;
    }
    decided += 1;
    const again = decideAgain(asked, decision);
    const price = decision.cost_usd ?? 0;
    const budget =
      overBudget(asked, decision, again.kind === 'deny' ? 0 : price, spent) ??
      (again.kind === 'deny' ? undefined : withoutRoom(asked, decision, spent));
    const after: Pick<Judgement, 'kind' | 'reason'> = budget ?? again;
    if (decision.verdict !== 'deny') cost.before += price;
    if (after.kind !== 'deny') cost.after += price;
    for (const { assignees } of decision.demands ?? []) count('before', assignees);
    if (after.kind === 'hold') for (const { demand } of again.demands) count('after', demand.assignees);
    if (budget?.kind === 'hold') count('after', []);
    const changed = difference(decision.verdict, after.kind, after.reason);
    const isWorse = rank(after.kind) < rank(decision.verdict);
    if (after.kind === decision.verdict) unchanged += 1;
    else if (after.kind === 'allow') allowed.push(changed);
    else if (after.kind === 'deny') blocked.push(changed);
    // What was denied and is a hold now is let through with more work, not gated.
    else if (isWorse) gated.push(changed);
    else allowed.push(changed);
    const accountable = standingOf(rules.matrix, actionOf(decision))?.accountable ?? null;
    if (accountable !== decision.accountable) {
      const reason = 'Another party answers for it.';
      reassigned.push(difference(decision.accountable ?? 'nobody', accountable ?? 'nobody', reason));
    }
    const [from, to] = [route?.before(decision) ?? null, route?.after(decision) ?? null];
    if (from !== to) rerouted.push(difference(from ?? 'none', to ?? 'none', 'Its first plane is another one.'));
  }
  return {
    decided,
    unchanged,
    newly_blocked: blocked,
    newly_gated: gated,
    newly_allowed: allowed,
    rerouted,
    reassigned,
    undecidable,
    cost_usd: { before: rounded(cost.before), after: rounded(cost.after) },
    approvals: [...approvals]
      .map(([person, counts]) => ({ person, ...counts }))
      .toSorted((one, other) => other.after - one.after || (one.person < other.person ? -1 : 1)),
  };
}

/** What RACI and policy say now. A denial by another check stands: it is not theirs to lift. */
function decideAgain({ rules: { matrix, policy }, budget, budgets }: WhatIf, decision: KeptDecision): Judgement {
  const action = actionOf(decision);
  const found = gatherFindings(action.args);
  const isBudgetAsked = budget !== undefined || budgets !== undefined;
  const ours = isBudgetAsked ? /^(?:raci|policy|budget):/ : /^(?:raci|policy):/;
  const other = decision.checks.find((each) => !ours.test(each) && each.split(':')[1] === 'deny');
  if (!found.add('raci', checkRaci(matrix, action))) {
    const accountable = standingOf(matrix, action)?.accountable ?? null;
    found.add('policy', checkPolicy(policy, matrix, action, accountable));
  }
  const again = found.judgement();
  if (other === undefined || again.kind === 'deny') {
    const declared = decision.demands?.find(({ rule }) => rule === 'approval/declared');
    if (declared === undefined || again.kind !== 'allow') return again;
    const { parties, assignees, quorum } = declared;
    const demand = { parties, assignees, quorum };
    found.add('approval', [{ kind: 'hold', rule: 'declared', reason: decision.reason, demand }]);
    return found.judgement();
  }
  return { ...again, kind: 'deny', rule: decision.rule, reason: decision.reason };
}

/** The action as far as it was kept. */
function actionOf(decision: KeptDecision): GovernedAction {
  const {
    step,
    kind,
    type,
    target,
    action_class: actionClass,
    effect,
    entity_id: entityId,
    agent_id: agentId,
  } = decision;
  return {
    name: step,
    what: {
      kind: actionKinds.find((each) => each === kind) ?? 'tool',
      type,
      target,
      actionClass,
      effect,
      entityId: entityId ?? undefined,
    },
    agentId,
    args: argumentsOfFacts(decision.facts),
    costUsd: decision.cost_usd ?? undefined,
    runId: decision.runId,
    caller: { tenantId: decision.tenantId, userId: decision.user_id },
    environment: environments.find((each) => each === decision.environment) ?? 'production',
    at: Date.parse(decision.at),
  };
}

function missingArguments({ rules, kept }: WhatIf, { action, facts }: KeptDecision): readonly string[] {
  const known = new Set([...kept, ...Object.keys(facts)]);
  return argumentsRead(rules.policy.document, action).filter((path) => !known.has(path));
}

/** A denial when this is more than the budget has left; else what it costs is taken from it. */
function overBudget(
  { budget }: WhatIf,
  { tenantId, agent_id: agentId, runId }: KeptDecision,
  price: number,
  spent: Map<string, number>,
): Pick<Judgement, 'kind' | 'reason'> | undefined {
  if (budget === undefined || price === 0) return undefined;
  const { limitUsd, per } = budget;
  const key = per === 'tenant' ? tenantId : per === 'agent' ? (agentId ?? '') : (runId ?? '');
  const before = spent.get(key) ?? 0;
  if (before + price > limitUsd) {
    return { kind: 'deny', reason: `The budget of ${limitUsd} USD per ${per} would be used up.` };
  }
  spent.set(key, before + price);
  return undefined;
}

/** A hold when a budget has too little for it; else what it spends is taken from the accounts of all that count it. */
function withoutRoom(
  { budgets = [] }: WhatIf,
  decision: KeptDecision,
  spent: Map<string, number>,
): Pick<Judgement, 'kind' | 'reason'> | undefined {
  if (decision.kind !== 'tool' && decision.kind !== 'fabric') return undefined;
  const { tenantId, runId, agent_id: agentId, action: kind, cost_usd: cost } = decision;
  const family = runId ?? '';
  const spender = { tenantId, runId: family, rootId: family, workflow: '' };
  const amounts = { tool_calls: 1, ...(cost !== null && { cost_usd: cost }) };
  const asks = accountsOf(budgets, spender, { agentId, kind, amounts }, Date.parse(decision.at));
  const keyOf = ({ budget, account }: AccountAsk) => JSON.stringify([tenantId, budget, account]);
  for (const ask of asks) {
    const limit = budgets.find(({ id }) => id === ask.budget)?.limit ?? 0;
    const used = spent.get(keyOf(ask)) ?? 0;
    if (rounded(used + ask.amount) <= limit) continue;
    const reason = `The budget "${ask.budget}" (${ask.account}) has ${rounded(limit - used)} left of ${limit}: somebody would be asked to add to it.`;
    return { kind: 'hold', reason };
  }
  for (const ask of asks) spent.set(keyOf(ask), (spent.get(keyOf(ask)) ?? 0) + ask.amount);
  return undefined;
}

function rank(kind: Kind): number {
  return { deny: 0, hold: 1, allow: 2 }[kind];
}

function rounded(usd: number): number {
  return Math.round(usd * 1e6) / 1e6;
}
