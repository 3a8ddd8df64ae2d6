import { describe, expect, it } from 'vitest';
import { actionHash } from '../../src/governance/action-hash.ts';
import type { Approval } from '../../src/governance/approval.ts';
import { expire } from '../../src/governance/approval-deadline.ts';
import { decide } from '../../src/governance/approval-decision.ts';
import { cancel } from '../../src/governance/approval-outcome.ts';
import { pendingApproval, T0 } from '../support/approvals.ts';

const AT = T0 + 60_000;
const HOUR = 3_600_000;

const approve = (approval: Approval, by: string, more: { args?: { invoice: number }; actionHash?: string } = {}) =>
  decide(approval, { type: 'approve', ...more }, by, AT);

const refused = (code: string, reason?: string) =>
  expect.objectContaining(reason === undefined ? { code } : { code, reason });

describe('approving', () => {
  it('ends a pending approval with exactly what was asked', () => {
    const { approval, event } = approve(pendingApproval(), 'bob');
    expect(approval).toMatchObject({ status: 'approved', decidedBy: ['bob'], decidedAt: '2026-01-01T00:01:00.000Z' });
    expect(event).toMatchObject({
      type: 'approval.decided',
      data: { status: 'approved', decided_by: ['bob'], action_hash: approval.actionHash, edited: false },
    });
  });

  it('with other arguments is approving these', () => {
    const { approval, event } = approve(pendingApproval(), 'bob', { args: { invoice: 8 } });
    expect(approval).toMatchObject({
      status: 'approved',
      editedArgs: { invoice: 8 },
      actionHash: actionHash('pay', { invoice: 8 }),
    });
    expect(event.data).toMatchObject({ edited: true, args: { invoice: 8 } });
  });

  it('with the same arguments in another order is no edit', () => {
    const args = { amount: 100, invoice: 7 };
    expect(approve(pendingApproval(), 'bob', { args }).approval).toMatchObject({
      status: 'approved',
      editedArgs: null,
    });
  });

  it.each(['ann', 'ANN', ' ann ', 'user:ann', 'ａｎｎ'])('is not for its requester, written "%s"', (by) => {
    expect(() => approve(pendingApproval(), by)).toThrow(refused('forbidden', 'OWN_REQUEST'));
    expect(() => approve(pendingApproval(), by, { args: { invoice: 8 } })).toThrow(refused('forbidden', 'OWN_REQUEST'));
  });

  it('is for its assignees only, when it has any', () => {
    const approval = pendingApproval({ assignees: ['bob'] });
    expect(() => approve(approval, 'cid')).toThrow(refused('forbidden', 'NOT_ASSIGNED'));
    expect(approve(approval, 'Bob').approval.status).toBe('approved');
  });

  it('of what one has seen is refused when something else is on the table', () => {
    const seen = pendingApproval().actionHash;
    expect(approve(pendingApproval(), 'bob', { actionHash: seen }).approval.status).toBe('approved');
    const edited = approve(pendingApproval({ quorum: 2 }), 'bob', { args: { invoice: 8 } }).approval;
    expect(() => approve(edited, 'cid', { actionHash: seen })).toThrow(refused('conflict', 'ACTION_CHANGED'));
  });
});

describe('a quorum', () => {
  it('takes that many different people', () => {
    const first = approve(pendingApproval({ quorum: 2 }), 'bob');
    expect(first.event).toMatchObject({ type: 'approval.voted', data: { votes: 1, quorum: 2 } });
    expect(first.approval.status).toBe('pending');
    expect(() => approve(first.approval, 'BOB')).toThrow(refused('conflict', 'ALREADY_VOTED'));
    expect(approve(first.approval, 'cid').approval).toMatchObject({ status: 'approved', decidedBy: ['bob', 'cid'] });
  });

  it('counts only votes for what is on the table', () => {
    const first = approve(pendingApproval({ quorum: 2 }), 'bob').approval;
    const edited = approve(first, 'cid', { args: { invoice: 8 } });
    expect(edited.event).toMatchObject({ type: 'approval.voted', data: { votes: 1, edited: true } });
    const agreed = approve(edited.approval, 'bob').approval;
    expect(agreed).toMatchObject({ status: 'approved', editedArgs: { invoice: 8 }, decidedBy: ['cid', 'bob'] });
  });

  it('is ended by one rejection', () => {
    const first = approve(pendingApproval({ quorum: 3 }), 'bob').approval;
    const { approval, event } = decide(first, { type: 'reject', reason: 'too much' }, 'cid', AT);
    expect(approval).toMatchObject({ status: 'rejected', decidedBy: ['cid'], rejectionReason: 'too much' });
    expect(event.data).not.toHaveProperty('action_hash');
  });
});

describe('rejecting', () => {
  it('is also for whoever requested it', () => {
    expect(decide(pendingApproval(), { type: 'reject', reason: 'changed my mind' }, 'ann', AT).approval.status).toBe(
      'rejected',
    );
  });

  it('is not for people it was not given to', () => {
    const approval = pendingApproval({ assignees: ['bob'] });
    expect(() => decide(approval, { type: 'reject', reason: 'no' }, 'cid', AT)).toThrow(refused('forbidden'));
  });
});

describe('a second decision', () => {
  const done = approve(pendingApproval(), 'bob').approval;
  it.each([
    { type: 'approve' },
    { type: 'reject', reason: 'late' },
    { type: 'ask', question: 'why?' },
    { type: 'answer', answer: 'so' },
    { type: 'escalate' },
  ] as const)('$type meets a conflict that says who was first', (decision) => {
    expect(() => decide(done, decision, 'cid', AT)).toThrow(
      expect.objectContaining({
        code: 'conflict',
        reason: 'APPROVAL_DECIDED',
        facts: { status: 'approved', decided_by: ['bob'] },
      }),
    );
  });
});

describe('asking back', () => {
  it('leaves it open, one question at a time', () => {
    const { approval, event } = decide(pendingApproval(), { type: 'ask', question: 'Why now?' }, 'bob', AT);
    expect(approval).toMatchObject({ status: 'pending', exchanges: [{ question: 'Why now?', answer: null }] });
    expect(event).toMatchObject({ type: 'approval.asked', data: { number: 1, question: 'Why now?', by: 'bob' } });
    expect(() => decide(approval, { type: 'ask', question: 'And?' }, 'cid', AT)).toThrow(
      refused('conflict', 'QUESTION_OPEN'),
    );
    const answered = decide(approval, { type: 'answer', answer: 'It is due.' }, 'ann', AT);
    expect(answered.event).toMatchObject({ type: 'approval.answered', data: { number: 1, answer: 'It is due.' } });
    expect(() => decide(answered.approval, { type: 'answer', answer: 'Again' }, 'ann', AT)).toThrow(
      refused('conflict', 'NO_QUESTION'),
    );
    const second = decide(answered.approval, { type: 'ask', question: 'And?' }, 'cid', AT);
    expect(second.event.data).toMatchObject({ number: 2 });
    expect(approve(second.approval, 'bob').approval.status).toBe('approved');
  });
});

describe('the deadline', () => {
  it('is not yet there a moment before', () => {
    expect(expire(pendingApproval(), T0 + HOUR - 1)).toBeUndefined();
  });

  it('rejects by default', () => {
    const moved = expire(pendingApproval(), T0 + HOUR);
    expect(moved?.approval).toMatchObject({ status: 'timeout', decidedBy: [] });
    expect(moved?.event).toMatchObject({ type: 'approval.decided', data: { status: 'timeout', decided_by: [] } });
  });

  it('approves where that was wanted, but never what some approver changed', () => {
    const approval = pendingApproval({ autoAction: 'approve', quorum: 2 });
    expect(expire(approval, T0 + HOUR)?.approval).toMatchObject({ status: 'approved', decidedBy: [] });
    const edited = approve(approval, 'bob', { args: { invoice: 8 } }).approval;
    expect(expire(edited, T0 + HOUR)?.approval.status).toBe('timeout');
  });

  it('escalates level by level with a new deadline each, and is over past the last', () => {
    const first = expire(pendingApproval({ autoAction: 'escalate' }), T0 + HOUR);
    expect(first?.approval).toMatchObject({
      status: 'escalated',
      escalationLevel: 'team_lead',
      expiresAt: '2026-01-01T02:00:00.000Z',
      escalationHistory: [{ from: 'none', to: 'team_lead', by: 'system' }],
    });
    expect(first && expire(first.approval, T0 + HOUR)).toBeUndefined();
    const second = first && expire(first.approval, T0 + 2 * HOUR);
    expect(second?.approval).toMatchObject({ status: 'escalated', escalationLevel: 'manager' });
    const third = second && expire(second.approval, T0 + 3 * HOUR);
    expect(third?.approval.status).toBe('timeout');
  });
});

describe('escalating', () => {
  it('to a person adds them to those who may decide', () => {
    const approval = pendingApproval({ assignees: ['bob'], escalateTo: 'dana' });
    const { approval: escalated, event } = decide(approval, { type: 'escalate' }, 'bob', AT);
    expect(event.data).toMatchObject({ from: 'none', to: 'team_lead', assigned_to: 'dana' });
    expect(approve(escalated, 'dana').approval.status).toBe('approved');
    expect(() => approve(escalated, 'cid')).toThrow(refused('forbidden', 'NOT_ASSIGNED'));
  });

  it('to a level opens it to all but its requester', () => {
    const approval = pendingApproval({ assignees: ['bob'] });
    const { approval: escalated } = decide(approval, { type: 'escalate' }, 'bob', AT);
    expect(escalated.assignmentHistory.at(-1)).toMatchObject({ assigned_group: 'approvers_team_lead' });
    expect(approve(escalated, 'cid').approval.status).toBe('approved');
    expect(() => approve(escalated, 'ann')).toThrow(refused('forbidden', 'OWN_REQUEST'));
  });

  it('ends at the last level', () => {
    let approval = pendingApproval({ priority: 'low' });
    approval = decide(approval, { type: 'escalate' }, 'bob', AT).approval;
    expect(() => decide(approval, { type: 'escalate' }, 'bob', AT)).toThrow(refused('conflict', 'NO_HIGHER_LEVEL'));
    expect(decide(approval, { type: 'escalate', to: 'emergency' }, 'bob', AT).approval.escalationLevel).toBe(
      'emergency',
    );
  });
});

describe('the end of the run', () => {
  it('cancels what is open and leaves what is decided', () => {
    expect(cancel(pendingApproval(), AT)).toMatchObject({ status: 'cancelled' });
    expect(cancel(approve(pendingApproval(), 'bob').approval, AT)).toBeUndefined();
  });
});
