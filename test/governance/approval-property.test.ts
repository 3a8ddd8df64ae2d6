/** What holds of an approval whatever people and time do to it, in whatever order. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AosError } from '../../src/core/errors.ts';
import { actionHash } from '../../src/governance/action-hash.ts';
import { type Approval, autoActions, isOpen } from '../../src/governance/approval.ts';
import { expire } from '../../src/governance/approval-deadline.ts';
import { decide } from '../../src/governance/approval-decision.ts';
import type { ApprovalDecision } from '../../src/governance/approval-desk.ts';
import { cancel } from '../../src/governance/approval-outcome.ts';
import { approvalPriorities } from '../../src/governance/escalation.ts';
import { pendingApproval, T0 } from '../support/approvals.ts';

const people = ['ann', 'bob', 'cid', 'dan', 'eve'];
const decision: fc.Arbitrary<ApprovalDecision> = fc.oneof(
  { weight: 6, arbitrary: fc.constant<ApprovalDecision>({ type: 'approve' }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('approve' as const), args: fc.record({ n: fc.nat(2) }) }) },
  fc.constant<ApprovalDecision>({ type: 'reject', reason: 'no' }),
  fc.constant<ApprovalDecision>({ type: 'ask', question: 'why?' }),
  fc.constant<ApprovalDecision>({ type: 'answer', answer: 'so' }),
  fc.constant<ApprovalDecision>({ type: 'escalate' }),
);
type Happening = { kind: 'person'; by: string; decision: ApprovalDecision } | { kind: 'time' } | { kind: 'end' };
const happening: fc.Arbitrary<Happening> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({ kind: fc.constant('person' as const), by: fc.constantFrom(...people), decision }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('time' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('end' as const) }) },
);
const ask = fc.record({
  quorum: fc.integer({ min: 1, max: 3 }),
  priority: fc.constantFrom(...approvalPriorities),
  autoAction: fc.constantFrom(...autoActions),
});

/** Everything in turn; refusals change nothing. @returns each state it was in */
function live(start: Approval, happenings: readonly Happening[]): readonly Approval[] {
  const states = [start];
  let at = T0;
  for (const next of happenings) {
    const now = states.at(-1) ?? start;
    at = next.kind === 'time' ? Math.max(at, Date.parse(now.expiresAt)) : at + 1;
    const then = happen(now, next, at);
    if (then !== undefined) states.push(then);
  }
  return states;
}

function happen(now: Approval, next: Happening, at: number): Approval | undefined {
  if (next.kind === 'time') return expire(now, at)?.approval;
  if (next.kind === 'end') return cancel(now, at);
  try {
    return decide(now, next.decision, next.by, at).approval;
  } catch (thrown) {
    if (!(thrown instanceof AosError)) throw thrown;
    return undefined;
  }
}

describe('whatever happens to an approval', () => {
  it('has one outcome, and nothing changes after it', () => {
    fc.assert(
      fc.property(ask, fc.array(happening, { maxLength: 30 }), (change, happenings) => {
        const states = live(pendingApproval(change), happenings);
        expect(states.slice(0, -1).every(isOpen)).toBe(true);
      }),
    );
  });

  it('is approved by people exactly when the quorum of different people, none of them its requester, agreed on one action', () => {
    fc.assert(
      fc.property(ask, fc.array(happening, { maxLength: 30 }), (change, happenings) => {
        for (const state of live(pendingApproval(change), happenings)) {
          const agreed = state.votes.filter((vote) => vote.action_hash === state.actionHash).map(({ by }) => by);
          expect(new Set(agreed).size).toBe(agreed.length);
          expect(agreed).not.toContain('ann');
          if (isOpen(state)) expect(agreed.length).toBeLessThan(state.quorum);
          if (state.status === 'approved' && state.decidedBy.length > 0) {
            expect(agreed).toHaveLength(state.quorum);
            expect([...state.decidedBy].toSorted()).toEqual(agreed.toSorted());
          }
          if (state.status === 'approved' && state.decidedBy.length === 0) expect(change.autoAction).toBe('approve');
        }
      }),
    );
  });

  it('is always bound to what is on the table', () => {
    fc.assert(
      fc.property(ask, fc.array(happening, { maxLength: 30 }), (change, happenings) => {
        for (const state of live(pendingApproval(change), happenings)) {
          expect(state.actionHash).toBe(actionHash(state.actionType, state.editedArgs ?? state.args));
        }
      }),
    );
  });

  it('has an end however often it is escalated: time alone ends it', () => {
    fc.assert(
      fc.property(ask, (change) => {
        const states = live(
          pendingApproval(change),
          Array.from({ length: 7 }, () => ({ kind: 'time' as const })),
        );
        const last = states.at(-1);
        expect(last && isOpen(last)).toBe(false);
      }),
    );
  });
});
