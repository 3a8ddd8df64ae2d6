import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../src/core/json.ts';
import { actionPairs } from '../../../src/fabric/action.ts';
import { demandOf } from '../../../src/governance/raci/approver.ts';
import { defaultMatrix } from '../../../src/governance/raci/default-matrix.ts';
import { createMatrix, matrixSchema } from '../../../src/governance/raci/matrix.ts';
import { matrixFaults, readMatrix } from '../../../src/governance/raci/matrix-rules.ts';
import { checkRaci, standingOf } from '../../../src/governance/raci/raci-check.ts';
import { testAction } from '../../support/governance.ts';

const actions = ['fabric:crm:update', 'tool:refund'];

function matrix(activity: JsonObject = {}, parties: JsonObject = {}): JsonObject {
  return {
    version: 1,
    parties: {
      Router: { capabilities: ['route'] },
      Finance: { people: ['dana', 'eli'], escalates_to: 'Board' },
      Board: { people: ['max'] },
      Nobody: {},
      ...parties,
    },
    activities: [
      {
        name: 'Everything',
        actions: ['*'],
        capability: 'route',
        responsible: ['Router'],
        accountable: 'Finance',
        ...activity,
      },
    ],
  };
}

describe('the matrix of the blueprint', () => {
  it('has somebody who answers for every action there is', () => {
    const names = [...actionPairs.map((pair) => `fabric:${pair}`), 'task:submit', 'job:create', 'a2a:context_share'];
    expect(matrixFaults(defaultMatrix, names)).toEqual([]);
  });

  it.each([
    ['fabric', 'update', 'crm', 'ActionRouter', 'Security', ['Compliance'], ['Audit Log']],
    ['task', 'submit', null, 'AOA Runtime', 'Platform', ['Agents'], ['Audit Log']],
    ['job', 'create', null, 'AOA Scheduler', 'Platform', ['Users'], ['Telemetry']],
    ['screening', 'detect', null, 'Security', 'Compliance', ['Legal'], ['Audit Log']],
    ['a2a', 'context_share', null, 'A2A Protocol', 'AOA', ['Agents'], ['Telemetry']],
  ] as const)('says who has to do with %s:%s', (kind, type, target, responsible, accountable, consulted, informed) => {
    const what = { kind, type, target, actionClass: null, effect: 'write' } as const;
    expect(standingOf(createMatrix(defaultMatrix), { what })).toMatchObject({
      responsible: [responsible],
      accountable,
      consulted,
      informed,
    });
  });
});

describe('a matrix is refused with a sentence', () => {
  it.each<[string, JsonObject, JsonObject, string]>([
    ['nobody is accountable', { accountable: [] }, {}, '"Everything" must have exactly one accountable, it has 0'],
    ['two are accountable', { accountable: ['Finance', 'Board'] }, {}, 'exactly one accountable, it has 2'],
    ['the accountable is no party', { accountable: 'Ghost' }, {}, 'names "Ghost", which is no party'],
    [
      'the accountable cannot be reached',
      { accountable: 'Nobody' },
      {},
      'nobody can be reached who is accountable for the action "fabric:crm:update", "tool:refund"',
    ],
    [
      'all substitutes cannot be reached, in a circle',
      { accountable: 'One' },
      { One: { substitutes: ['Two'] }, Two: { substitutes: ['One'] } },
      'nobody can be reached who is accountable',
    ],
    [
      'the responsible lacks the capability',
      { responsible: ['Finance'] },
      {},
      '"Finance" is responsible and lacks the capability "route"',
    ],
    [
      'an action is not covered',
      { actions: ['tool:*'] },
      {},
      'nobody is accountable for the action "fabric:crm:update"',
    ],
    [
      'a party with a veto has nobody',
      { consulted: [{ party: 'Nobody', blocking: true }] },
      {},
      '"Nobody" must agree, and there is nobody to ask',
    ],
    ['a substitute is no party', {}, { Finance: { people: ['x'], substitutes: ['Ghost'] } }, 'the substitute "Ghost"'],
    ['an escalation leads nowhere', {}, { Finance: { people: ['x'], escalates_to: 'moon' } }, 'escalates to "moon"'],
  ])('because %s', (_what, activity, parties, sentence) => {
    expect(() => readMatrix(matrix(activity, parties), actions, 'raci.json')).toThrow(sentence);
  });

  it('is taken when it is sound', () => {
    expect(readMatrix(matrix(), actions, 'raci.json').hash).toMatch(/^[0-9a-f]{64}$/);
    const reached = { accountable: 'Away' };
    const parties = { Away: { substitutes: ['Finance'] }, Told: { webhook: 'https://told.example/raci' } };
    expect(() => readMatrix(matrix(reached, parties), actions, 'raci.json')).not.toThrow();
    expect(() => readMatrix(matrix({ accountable: 'Told' }, parties), actions, 'raci.json')).not.toThrow();
  });
});

it('puts an action into the activity whose pattern says most', () => {
  const document = matrixSchema.parse({
    version: 1,
    parties: { A: { people: ['*'] } },
    activities: [
      { name: 'all', actions: ['*'], responsible: ['A'], accountable: 'A' },
      { name: 'crm', actions: ['fabric:crm:*'], responsible: ['A'], accountable: 'A' },
      { name: 'deletes', actions: ['fabric:crm:delete'], responsible: ['A'], accountable: 'A' },
    ],
  });
  const { activityOf } = createMatrix(document);
  expect(['tool:x', 'fabric:crm:read', 'fabric:crm:delete'].map((name) => activityOf(name)?.name)).toEqual([
    'all',
    'crm',
    'deletes',
  ]);
});

describe('the check of RACI', () => {
  const check = (activity: JsonObject, change: Parameters<typeof testAction>[0] = {}) =>
    checkRaci(createMatrix(matrixSchema.parse(matrix(activity))), testAction(change));

  it('denies what no activity covers', () => {
    expect(check({ actions: ['tool:*'] })).toMatchObject([{ kind: 'deny', rule: 'no_activity' }]);
  });

  it('lets only the agents act that are named, where some are', () => {
    const named = { responsible: ['Router', 'agent:cfo'] };
    expect(check(named)).toMatchObject([{ kind: 'pass' }]);
    expect(check(named, { agentId: 'ceo' })).toMatchObject([{ kind: 'deny', rule: 'not_responsible' }]);
    expect(check(named, { agentId: null })).toMatchObject([{ kind: 'deny', rule: 'not_responsible' }]);
    expect(check({ responsible: ['agent:*'] }, { agentId: 'ceo' })).toMatchObject([{ kind: 'pass' }]);
  });

  it('holds until a party with a veto agrees, for the effects it is asked about', () => {
    const veto = { consulted: [{ party: 'Board', blocking: true, effects: ['external'] }] };
    expect(check(veto)).toMatchObject([
      { kind: 'pass' },
      { kind: 'hold', rule: 'consult/Board', demand: { parties: ['Board'], assignees: ['max'], quorum: 1 } },
    ]);
    const what = { kind: 'fabric', type: 'read', target: 'erp', actionClass: 'read', effect: 'read' } as const;
    expect(check(veto, { what })).toMatchObject([{ kind: 'pass' }]);
  });

  it('obliges to tell the informed of what changes something', () => {
    expect(check({ informed: ['Board'] })).toMatchObject([{ obligations: [{ kind: 'inform', party: 'Board' }] }]);
    expect(check({ informed: ['Board'], inform_of: ['denied'] })[0]).not.toHaveProperty('obligations');
  });
});

describe('whom a party sends', () => {
  const at = Date.UTC(2026, 1, 1);
  const { parties } = matrixSchema.parse(
    matrix(
      {},
      {
        Finance: {
          people: ['dana', { name: 'eli', away_until: '2026-03-01T00:00:00Z' }],
          substitutes: ['Board'],
          escalates_to: 'Board',
        },
        Everybody: { people: ['*'], escalates_to: 'director' },
      },
    ),
  );
  const demand = (change: Partial<Parameters<typeof demandOf>[1]> = {}) =>
    demandOf({ parties }, { party: 'Finance', requesters: [], at, ...change });

  it('is whoever is there, and after them the party above', () => {
    expect(demand()).toMatchObject({ assignees: ['dana'], escalateTo: 'max' });
    expect(demand({ at: Date.UTC(2026, 3, 1) })).toMatchObject({ assignees: ['dana', 'eli'] });
  });

  it('is substitutes too when its own people are too few or want it themselves', () => {
    expect(demand({ quorum: 2 })).toMatchObject({ assignees: ['dana', 'max'] });
    expect(demand({ requesters: ['dana'] })).toMatchObject({ assignees: ['dana', 'max'] });
  });

  it('is everybody where the party is', () => {
    expect(demand({ party: 'Everybody' })).toEqual({
      parties: ['Everybody'],
      assignees: [],
      quorum: 1,
      escalateTo: 'director',
    });
  });
});
