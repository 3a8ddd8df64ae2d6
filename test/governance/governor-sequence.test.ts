/** The governor over a run in memory: what it says, what is kept of it, and that a run executed again is told the same. */
import { describe, expect, it } from 'vitest';
import { AosError } from '../../src/core/errors.ts';
import type { GovernorCheck } from '../../src/governance/governor.ts';
import { createRuleChecks } from '../../src/governance/governor-rules.ts';
import type { Finding, Verdict } from '../../src/governance/verdict.ts';
import {
  answeringDesk,
  blueprint,
  testGovernor,
  testPolicy,
  testProposal,
  unenforcedGovernor,
} from '../support/governance.ts';
import { MemoryRun } from '../support/run-scope.ts';

const reading = testProposal({
  what: { kind: 'tool', type: 'calculator', target: null, actionClass: null, effect: 'read' },
});
const allowing = testPolicy({ rules: [{ id: 'all', effect: 'allow', reason: 'All is well.' }] });
const holding = testPolicy({ rules: [{ id: 'ask', effect: 'hold', reason: 'Somebody must agree.', quorum: 2 }] });
const denying = testPolicy({ rules: [{ id: 'no', effect: 'deny', reason: 'Not this.' }] });

async function judged(
  governor: ReturnType<typeof testGovernor>,
  proposal = testProposal(),
  run = new MemoryRun({}),
): Promise<Verdict> {
  let verdict: Verdict | undefined;
  await run.execute(async (scope) => {
    verdict = await governor.allow(scope, proposal);
    return {};
  });
  if (verdict === undefined) throw new Error('there is no verdict');
  return verdict;
}

describe('the governor', () => {
  it('lets what only reads pass without a write of its own, and gives the event to whoever acts', async () => {
    const run = new MemoryRun({});
    const verdict = await judged(testGovernor(), reading, run);
    expect(verdict).toMatchObject({ kind: 'allow', rule: 'policy/default.read', accountable: 'Platform' });
    expect(verdict.event).toMatchObject({ key: 'turn-1/tool-1:decided', type: 'governance.decided' });
    expect(run.stepOrder).toEqual([]);
    expect(run.events).toEqual([]);
  });

  it('denies what changes something outside of development when no rule allows it', async () => {
    const run = new MemoryRun({});
    const verdict = await judged(testGovernor(), testProposal(), run);
    expect(verdict).toMatchObject({
      kind: 'deny',
      rule: 'policy/default.deny',
      accountable: 'Security',
      code: 'forbidden',
    });
    expect(run.types).toEqual(['governance.decided']);
  });

  it('allows it in development, and in production when a rule does', async () => {
    expect(await judged(testGovernor({ environment: 'development' }))).toMatchObject({ kind: 'allow' });
    expect(await judged(testGovernor({ policy: allowing }))).toMatchObject({ kind: 'allow', rule: 'policy/all' });
  });

  it('keeps who, what and which rules, of the arguments the hash and what the policy names', async () => {
    const run = new MemoryRun({});
    const policy = testPolicy({
      keep: ['amount', 'customer.tier', 'card', 'note'],
      rules: [{ id: 'all', effect: 'allow', reason: 'All is well.' }],
    });
    const args = {
      amount: 12.5,
      customer: { tier: 'gold', name: 'Ann' },
      card: 4111111111111111,
      note: 'x'.repeat(41),
    };
    await judged(testGovernor({ policy }), testProposal({ args }), run);
    const { data } = run.events[0] ?? {};
    expect(data).toMatchObject({
      action: 'fabric:erp:update',
      verdict: 'allow',
      accountable: 'Security',
      responsible: ['ActionRouter'],
      agent_id: 'cfo',
      facts: { amount: 12.5, 'customer.tier': 'gold' },
      policy: policy.hash,
      raci: blueprint.hash,
      args_hash: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(JSON.stringify(data)).not.toMatch(/Ann|4111/);
  });

  it('makes the checks in their order, whatever order they come in, and none after a denial', async () => {
    const made: string[] = [];
    const check = (name: GovernorCheck['name'], finding: Finding): GovernorCheck => ({
      name,
      check() {
        made.push(name);
        return finding;
      },
    });
    const pass: Finding = { kind: 'pass', rule: 'fine' };
    const checks = [
      check('budget', { kind: 'deny', rule: 'used_up', reason: 'The budget is used up.', code: 'limit_exceeded' }),
      check('policy', pass),
      check('rate', pass),
      check('approval', pass),
      check('screening', pass),
      check('raci', pass),
    ];
    const verdict = await judged(testGovernor({ checks }));
    expect(made).toEqual(['rate', 'raci', 'screening', 'policy', 'budget']);
    expect(verdict).toMatchObject({ kind: 'deny', rule: 'budget/used_up', code: 'limit_exceeded' });
  });

  it('gives later checks and whoever acts the arguments as an earlier check left them', async () => {
    const seen: unknown[] = [];
    const checks: GovernorCheck[] = [
      { name: 'screening', check: () => ({ kind: 'pass', rule: 'redact', args: { mail: '[EMAIL]' } }) },
      {
        name: 'policy',
        check({ args }) {
          seen.push(args);
          return { kind: 'pass', rule: 'fine' };
        },
      },
    ];
    const verdict = await judged(testGovernor({ checks }), testProposal({ args: { mail: 'a@b.c' } }));
    expect(seen).toEqual([{ mail: '[EMAIL]' }]);
    expect(verdict.args).toEqual({ mail: '[EMAIL]' });
  });

  it('denies when a check breaks, and says nothing of how', async () => {
    const checks: GovernorCheck[] = [
      {
        name: 'policy',
        check() {
          throw new Error('the secret of the database');
        },
      },
    ];
    const verdict = await judged(testGovernor({ checks }));
    expect(verdict).toMatchObject({ kind: 'deny', rule: 'policy/failed' });
    expect(verdict.reason).not.toContain('secret');
  });

  it('gives a run that is executed again the verdict it got, whatever the rules are now', async () => {
    const run = new MemoryRun({});
    await judged(testGovernor({ policy: allowing }), testProposal(), run);
    expect(await judged(testGovernor({ policy: denying }), testProposal(), run)).toMatchObject({
      kind: 'allow',
      rule: 'policy/all',
    });
    expect(run.types).toEqual(['governance.decided']);
  });

  it('does not judge again what only reads and has been done', async () => {
    const run = new MemoryRun({});
    const governor = testGovernor({ policy: holding, approvals: answeringDesk() });
    await run.execute(async (scope) => {
      await scope.step(reading.name, async () => 'done');
      return {};
    });
    expect(await judged(governor, reading, run)).toMatchObject({ kind: 'allow', rule: 'done' });
  });
});

describe('an action that somebody must agree to', () => {
  it('is asked for with the approvers of RACI, and allowed once they agree', async () => {
    const run = new MemoryRun({});
    const desk = answeringDesk();
    const verdict = await judged(testGovernor({ policy: holding, approvals: desk }), testProposal(), run);
    expect(desk.asked).toMatchObject([
      { name: 'turn-1/tool-1', quorum: 2, agentId: 'cfo', args: { invoice: 'I-7', amount: 100 } },
    ]);
    expect(verdict).toMatchObject({ kind: 'allow', approvedBy: ['bob'] });
    expect(run.events.map(({ data }) => data)).toMatchObject([
      { verdict: 'hold', rule: 'policy/ask', outcome: false, demands: [{ parties: ['Security'], quorum: 2 }] },
      { verdict: 'allow', outcome: true, approved_by: ['bob'] },
    ]);
  });

  it('is asked for once, however often its run is executed', async () => {
    const run = new MemoryRun({});
    const desk = answeringDesk();
    const governor = testGovernor({ policy: holding, approvals: desk });
    await judged(governor, testProposal(), run);
    await judged(governor, testProposal(), run);
    expect(desk.asked).toHaveLength(1);
  });

  it('is denied when they refuse', async () => {
    const desk = answeringDesk(() => ({ decision: 'rejected', reason: 'too dear' }));
    expect(await judged(testGovernor({ policy: holding, approvals: desk }))).toMatchObject({
      kind: 'deny',
      code: 'cancelled',
      reason: expect.stringContaining('too dear'),
    });
  });

  it('is done with what they made of it, when the rules allow that too', async () => {
    const policy = testPolicy({
      rules: [
        { id: 'limit', effect: 'deny', when: 'action.args.amount > 1000', reason: 'Too much.' },
        { id: 'ask', effect: 'hold', reason: 'Somebody must agree.' },
      ],
    });
    const edit = (amount: number) =>
      testGovernor({ policy, approvals: answeringDesk(() => ({ args: { amount }, edited: true })) });
    expect(await judged(edit(50))).toMatchObject({ kind: 'allow', edited: true, args: { amount: 50 } });
    expect(await judged(edit(5000))).toMatchObject({ kind: 'deny', rule: 'policy/limit' });
  });

  it('goes to each party that must agree, one after the other, and to a party once', async () => {
    const policy = testPolicy({
      rules: [
        { id: 'a', effect: 'hold', reason: 'A.', approvers: ['Legal', 'Security'] },
        { id: 'b', effect: 'hold', reason: 'B.', approvers: ['Security'], quorum: 3 },
      ],
    });
    const desk = answeringDesk();
    await judged(testGovernor({ policy, approvals: desk }));
    expect(desk.asked.map(({ name, quorum }) => ({ name, quorum }))).toEqual([
      { name: 'turn-1/tool-1', quorum: 1 },
      { name: 'turn-1/tool-1/2', quorum: 3 },
    ]);
  });

  it('is denied when a later approver changes what earlier ones agreed to', async () => {
    const policy = testPolicy({
      rules: [{ id: 'a', effect: 'hold', reason: 'A.', approvers: ['Legal', 'Security'] }],
    });
    const desk = answeringDesk(({ name }) => (name.endsWith('/2') ? { args: { amount: 1 }, edited: true } : {}));
    expect(await judged(testGovernor({ policy, approvals: desk }))).toMatchObject({
      kind: 'deny',
      rule: 'edited_after_agreement',
    });
  });

  it('is denied with a sentence when nobody could ever agree', async () => {
    const desk = answeringDesk(() => {
      throw new AosError('invalid_request', 'needs 2 approving');
    });
    expect(await judged(testGovernor({ policy: holding, approvals: desk }))).toMatchObject({
      kind: 'deny',
      reason: 'needs 2 approving',
    });
  });

  it('is asked for when the action itself is made so, and only once when a rule wants the same', async () => {
    const desk = answeringDesk();
    const proposal = testProposal({ asksApproval: true });
    await judged(testGovernor({ policy: allowing, approvals: desk }), proposal);
    expect(desk.asked).toHaveLength(1);
    await judged(testGovernor({ policy: holding, approvals: desk }), proposal);
    expect(desk.asked).toHaveLength(2);
  });

  it('is a hold where nobody can wait, and kept where there is no run', async () => {
    const kept: unknown[] = [];
    const governor = testGovernor({
      policy: holding,
      keep: async (_action, decision) => void kept.push(decision.verdict),
    });
    const caller = { tenantId: 'default', userId: 'ann' };
    expect(await governor.allow({ caller }, testProposal())).toMatchObject({
      kind: 'hold',
      demand: { parties: ['Security'], quorum: 2 },
    });
    expect(kept).toEqual(['hold']);
  });
});

describe('where nothing is enforced', () => {
  const redacting: GovernorCheck = {
    name: 'screening',
    check: () => ({ kind: 'pass', rule: 'redact', args: { mail: '[EMAIL]' } }),
  };
  const refusing: GovernorCheck = {
    name: 'budget',
    check: () => ({ kind: 'deny', rule: 'used_up', reason: 'The budget is used up.', code: 'limit_exceeded' }),
  };
  const passing: GovernorCheck = { name: 'budget', check: () => ({ kind: 'pass', rule: 'within' }) };

  it('leaves nothing behind of what no check has anything to say to', async () => {
    const run = new MemoryRun({});
    const verdict = await judged(unenforcedGovernor({ checks: [passing] }), testProposal(), run);
    expect(verdict).toMatchObject({ kind: 'allow', event: undefined, accountable: 'Security' });
    expect([run.stepOrder, run.events]).toEqual([[], []]);
  });

  it('tells and keeps what a check has to say, and who answers for it', async () => {
    const run = new MemoryRun({});
    const governor = unenforcedGovernor({ checks: [refusing] });
    expect(await judged(governor, testProposal(), run)).toMatchObject({ kind: 'deny', code: 'limit_exceeded' });
    expect(run.events).toMatchObject([
      { type: 'governance.decided', data: { rule: 'budget/used_up', accountable: 'Security', policy: null } },
    ]);
    expect(await judged(unenforcedGovernor(), testProposal(), run)).toMatchObject({ kind: 'deny' });
  });

  it('asks for what is made so that somebody must agree, and tells no more than the approval does', async () => {
    const run = new MemoryRun({});
    const desk = answeringDesk();
    const governor = unenforcedGovernor({ approvals: desk, checks: [passing] });
    expect(await judged(governor, testProposal({ asksApproval: true }), run)).toMatchObject({
      kind: 'allow',
      approvedBy: ['bob'],
    });
    expect(desk.asked).toHaveLength(1);
    expect([run.stepOrder, run.events]).toEqual([['turn-1/tool-1/approval'], []]);
  });

  it('goes on with what an execution before began, whatever a check would say by now', async () => {
    const governor = unenforcedGovernor({ checks: [refusing] });
    expect(await judged(governor, testProposal({ hasBegun: true }))).toMatchObject({ kind: 'allow', rule: 'done' });
  });

  it('does what only reads with the arguments it was first allowed to be done with', async () => {
    const run = new MemoryRun({});
    const proposal = { ...reading, args: { mail: 'a@b.c' } };
    await judged(unenforcedGovernor({ checks: [redacting] }), proposal, run);
    await run.execute((scope) => scope.step(proposal.name, async () => ({})));
    expect((await judged(unenforcedGovernor(), proposal, run)).args).toEqual({ mail: '[EMAIL]' });
    expect(JSON.stringify(run.events)).not.toContain('a@b.c');
  });
});

it('watches a rule in shadow mode without stopping anything', async () => {
  const run = new MemoryRun({});
  const policy = testPolicy({
    rules: [
      { id: 'watched', effect: 'deny', mode: 'shadow', reason: 'Would be stopped.' },
      { id: 'all', effect: 'allow', reason: 'All is well.' },
    ],
  });
  expect(await judged(testGovernor({ policy }), testProposal(), run)).toMatchObject({ kind: 'allow' });
  expect(run.events[0]?.data).toMatchObject({ shadow: { kind: 'deny', rule: 'watched' } });
});

it('refuses two checks of one name', () => {
  const rules = createRuleChecks(() => ({ matrix: blueprint, policy: testPolicy() }));
  expect(() => testGovernor({ checks: [...rules, ...rules] })).toThrow('two checks');
});
