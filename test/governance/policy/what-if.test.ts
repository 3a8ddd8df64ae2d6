/** What would have been, over recorded decisions: tables of cases, no database. */
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../src/core/json.ts';
import type { KeptDecision } from '../../../src/governance/decision-store.ts';
import { argumentsOfFacts, argumentsRead } from '../../../src/governance/policy/argument.ts';
import { type WhatIf, whatIf } from '../../../src/governance/policy/what-if.ts';
import { createMatrix, matrixSchema } from '../../../src/governance/raci/matrix.ts';
import { testBudget } from '../../support/budgets.ts';
import { blueprint, testPolicy } from '../../support/governance.ts';

function decided(change: Partial<KeptDecision> = {}): KeptDecision {
  return {
    id: 'run-1#4',
    runId: 'run-1',
    tenantId: 'default',
    at: '2026-02-01T10:00:00.000Z',
    step: 'turn-1/tool-1',
    verdict: 'allow',
    outcome: false,
    rule: 'policy/all',
    reason: 'All is well.',
    accountable: 'Security',
    responsible: ['ActionRouter'],
    action: 'fabric:finance:execute',
    kind: 'fabric',
    type: 'execute',
    target: 'finance',
    action_class: 'execute',
    effect: 'external',
    entity_id: null,
    agent_id: 'cfo',
    user_id: 'ann',
    environment: 'production',
    args_hash: 'x',
    facts: { amount: 500 },
    cost_usd: null,
    checks: ['raci:pass:Fabric routing', 'policy:pass:all'],
    policy: 'p',
    raci: 'r',
    ...change,
  };
}

const all = { id: 'all', effect: 'allow', reason: 'All is well.' };
const none = { id: 'none', effect: 'deny', reason: 'Nothing goes.' };
const ask = { id: 'ask', effect: 'hold', reason: 'Somebody must agree.' };
const limit = (amount: number) => ({ ...none, id: 'limit', when: `action.args.amount > ${amount}` });

function under(rules: JsonObject[], decisions: KeptDecision[], change: Partial<WhatIf> = {}) {
  return whatIf({
    decisions,
    rules: { matrix: blueprint, policy: testPolicy({ rules }) },
    kept: ['amount'],
    ...change,
  });
}

const held = decided({
  verdict: 'hold',
  demands: [{ rule: 'policy/ask', parties: ['Security'], assignees: ['dana'], quorum: 1 }],
});

describe('a recorded decision under other rules', () => {
  it.each([
    ['stays allowed', [all], decided(), undefined],
    ['is blocked', [none], decided(), 'newly_blocked'],
    ['is blocked when no rule allows it any more', [], decided(), 'newly_blocked'],
    ['is gated', [ask], decided(), 'newly_gated'],
    ['is allowed that was held', [all], held, 'newly_allowed'],
    ['is blocked that was held', [none], held, 'newly_blocked'],
    ['stays held', [ask], held, undefined],
    ['is let through that was denied', [all], decided({ verdict: 'deny' }), 'newly_allowed'],
    ['is blocked by what was kept of its arguments', [all, limit(100)], decided(), 'newly_blocked'],
    ['is not blocked by a limit above it', [all, limit(1000)], decided(), undefined],
    [
      'stays denied by a check that is not changed',
      [all],
      decided({ verdict: 'deny', checks: ['raci:pass:x', 'screening:deny:BLOCK'] }),
      undefined,
    ],
    [
      'stays held when its tool was made so',
      [all],
      { ...held, demands: [{ rule: 'approval/declared', parties: ['Platform'], assignees: [], quorum: 1 }] },
      undefined,
    ],
  ] satisfies [string, JsonObject[], KeptDecision, string | undefined][])('%s', (_title, rules, decision, list) => {
    const report = under(rules, [decision]);
    const lists = ['newly_blocked', 'newly_gated', 'newly_allowed'] as const;
    expect(lists.filter((name) => report[name].length > 0)).toEqual(list === undefined ? [] : [list]);
    expect(report).toMatchObject({ decided: 1, unchanged: list === undefined ? 1 : 0, undecidable: [] });
  });

  it('is not decided when the rules look at arguments that were not kept', () => {
    const rules = [all, { ...none, when: 'has(action.args.country) && action.args.country == "X"' }];
    expect(under(rules, [decided()])).toMatchObject({ decided: 0, undecidable: [{ after: 'country' }] });
    expect(under(rules, [decided()], { kept: ['amount', 'country'] })).toMatchObject({ decided: 1 });
  });

  it('is counted once, though the end of a hold is told too', () => {
    expect(under([all], [held, decided({ id: 'run-1#9', outcome: true })]).decided).toBe(1);
  });
});

it('counts how often each person is asked, before and after', () => {
  const matrix = createMatrix(
    matrixSchema.parse({
      version: 1,
      parties: { Security: { people: ['dana', 'eli'] } },
      activities: [{ name: 'all', actions: ['*'], responsible: ['Security'], accountable: 'Security' }],
    }),
  );
  const report = whatIf({
    decisions: [held, decided({ id: 'b' }), decided({ id: 'c' })],
    rules: { matrix, policy: testPolicy({ rules: [ask] }) },
    kept: [],
  });
  expect(report.approvals).toEqual([
    { person: 'dana', before: 1, after: 3 },
    { person: 'eli', before: 0, after: 3 },
  ]);
});

it('names who answers instead when the matrix is another one', () => {
  const matrix = createMatrix(
    matrixSchema.parse({
      version: 1,
      parties: { Finance: { people: ['*'] } },
      activities: [{ name: 'all', actions: ['*'], responsible: ['Finance'], accountable: 'Finance' }],
    }),
  );
  const report = whatIf({ decisions: [decided()], rules: { matrix, policy: testPolicy({ rules: [all] }) }, kept: [] });
  expect(report.reassigned).toMatchObject([{ before: 'Security', after: 'Finance' }]);
});

it('names the plane an action takes instead', () => {
  const route = { before: () => 'ipaas', after: () => 'event_bus' };
  expect(under([all], [decided()], { route }).rerouted).toMatchObject([{ before: 'ipaas', after: 'event_bus' }]);
  expect(under([all], [decided()], { route: { ...route, after: () => 'ipaas' } }).rerouted).toEqual([]);
});

describe('a budget', () => {
  const costly = [1, 2, 3, 4].map((number) =>
    decided({
      id: `d${number}`,
      at: `2026-02-01T10:0${number}:00.000Z`,
      cost_usd: 0.4,
      agent_id: number === 4 ? 'ceo' : 'cfo',
    }),
  );

  it.each([
    ['tenant', 1, ['d3', 'd4'], 0.8],
    ['agent', 1, ['d3'], 1.2],
    ['tenant', 10, [], 1.6],
    ['run', 0.4, ['d2', 'd3', 'd4'], 0.4],
  ] as const)('per %s of %d USD blocks what comes after it is used up', (per, limitUsd, blocked, after) => {
    const report = under([all], costly.toReversed(), { budget: { limitUsd, per } });
    expect(report.newly_blocked.map(({ id }) => id)).toEqual(blocked);
    expect(report.cost_usd).toEqual({ before: 1.6, after });
  });
});

describe('budgets', () => {
  const calls = [1, 2, 3].map((number) =>
    decided({ id: `d${number}`, at: `2026-02-0${number < 3 ? 1 : 2}T10:0${number}:00.000Z`, cost_usd: 0.4 }),
  );

  it.each([
    ['one call a day of each agent', { scope: 'agent', dimension: 'tool_calls', limit: 1 }, ['d2']],
    ['one call a month', { window: 'month', dimension: 'tool_calls', limit: 1 }, ['d2', 'd3']],
    ['half a dollar of another agent', { scope: 'agent', subject: 'ceo', dimension: 'cost_usd', limit: 0.5 }, []],
    ['a dollar a month', { window: 'month', dimension: 'cost_usd', limit: 1 }, ['d3']],
  ] as const)('of %s would have asked somebody about what comes after it', (_what, change, gated) => {
    const report = under([all], calls.toReversed(), { budgets: [testBudget(change)] });
    expect(report.newly_gated.map(({ id }) => id)).toEqual(gated);
    expect(report.newly_gated.every(({ reason }) => reason.includes('The budget "b"'))).toBe(true);
    expect(report.approvals).toEqual(gated.length === 0 ? [] : [{ person: '*', before: 0, after: gated.length }]);
  });

  it('decide again what another budget had denied', () => {
    const denied = decided({ verdict: 'deny', checks: ['budget:deny:used_up'], rule: 'budget/used_up' });
    expect(under([all], [denied], { budgets: [] }).newly_allowed).toHaveLength(1);
    expect(under([all], [denied]).newly_allowed).toEqual([]);
  });
});

it.each([
  ['action.args.amount > 1', ['amount']],
  ['has(action.args.order.amount) && action.args.order.amount > action.args.limit', ['order.amount', 'limit']],
  ["action.args['amount'] > 1", ['*']],
  ['size(action.args) > 3', ['*']],
  ["action.kind == 'tool'", []],
])('the condition %s looks at the arguments %j', (when, paths) => {
  expect(argumentsRead(testPolicy({ rules: [{ ...none, when }] }).document, 'tool:x')).toEqual(paths);
  const other = testPolicy({ rules: [{ ...none, when, actions: ['fabric:*'] }] });
  expect(argumentsRead(other.document, 'tool:x')).toEqual([]);
});

it('makes arguments of facts again', () => {
  expect(argumentsOfFacts({ amount: 1, 'order.currency': 'EUR', 'order.lines.count': 2 })).toEqual({
    amount: 1,
    order: { currency: 'EUR', lines: { count: 2 } },
  });
});
