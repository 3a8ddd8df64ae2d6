/**
 * What people do to an approval: pure moves from one state of it to the next, each with the event that tells it. An
 * approval that is no longer open refuses every move, so that there is one outcome.
 */
import { AosError } from '../core/errors.ts';
import { actionHash } from './action-hash.ts';
import { type Approval, countedVotes, isOpen } from './approval.ts';
import { escalate, nextStopOf } from './approval-deadline.ts';
import type { ApprovalDecision } from './approval-desk.ts';
import { decided, end, type Moved } from './approval-outcome.ts';
import { answer, askBack } from './approval-question.ts';
import { asStored } from './approval-request.ts';
import { isAmong } from './person.ts';

/**
 * What a person's decision makes of it.
 * @param by the decider's name
 * @param at epoch milliseconds
 * @throws AosError conflict, forbidden, invalid_request
 */
export function decide(approval: Approval, decision: ApprovalDecision, by: string, at: number): Moved {
  if (!isOpen(approval)) throw decided(approval);
  const time = new Date(at).toISOString();
  switch (decision.type) {
    case 'approve':
      return approve(approval, decision, by, time);
    case 'reject':
      // Whoever wants something may also no longer want it.
      if (!isAmong(by, approval.requesters)) checkAssigned(approval, by);
      return end(approval, 'rejected', { by: [by], at: time, reason: decision.reason });
    case 'ask':
      checkAssigned(approval, by);
      return askBack(approval, decision.question, by, time);
    case 'answer':
      return answer(approval, decision.answer, by, time);
    case 'escalate': {
      const stop = nextStopOf(approval, decision.to ?? null);
      if (stop === undefined) {
        throw new AosError(
          'conflict',
          `Approval "${approval.id}" cannot be escalated further: it is at ${approval.escalationLevel} already.`,
          {
            reason: 'NO_HIGHER_LEVEL',
            facts: { status: approval.status, escalation_level: approval.escalationLevel },
          },
        );
      }
      return escalate(approval, stop, { by, at, reason: decision.reason ?? 'somebody passed it on' });
    }
  }
}

function approve(
  approval: Approval,
  decision: Extract<ApprovalDecision, { type: 'approve' }>,
  by: string,
  at: string,
): Moved {
  if (isAmong(by, approval.requesters)) {
    throw new AosError(
      'forbidden',
      `"${by}" requested approval "${approval.id}" and cannot approve it: somebody else must.`,
      {
        reason: 'OWN_REQUEST',
      },
    );
  }
  checkAssigned(approval, by);
  const { notes = null, actionHash: seen } = decision;
  if (seen !== undefined && seen !== approval.actionHash) {
    throw new AosError(
      'conflict',
      `Approval "${approval.id}" is about another action than the one you have seen: read it again.`,
      {
        reason: 'ACTION_CHANGED',
        facts: { status: approval.status, action_hash: approval.actionHash },
      },
    );
  }
  const tabled = decision.args === undefined ? approval : table(approval, asStored(decision.args));
  if (
    isAmong(
      by,
      countedVotes(tabled).map((vote) => vote.by),
    )
  ) {
    throw new AosError(
      'conflict',
      `"${by}" has approved "${approval.id}" already; it needs ${approval.quorum} different people.`,
      {
        reason: 'ALREADY_VOTED',
        facts: { status: approval.status, decided_by: [...approval.decidedBy] },
      },
    );
  }
  // Of what somebody approved earlier only the last word stands.
  const others = tabled.votes.filter((vote) => !isAmong(by, [vote.by]));
  const voted: Approval = { ...tabled, votes: [...others, { by, at, action_hash: tabled.actionHash, notes }] };
  const counted = countedVotes(voted).map((vote) => vote.by);
  if (counted.length >= voted.quorum) return end(voted, 'approved', { by: counted, at, notes });
  const { id, actionHash: hash, quorum, editedArgs } = voted;
  return {
    approval: voted,
    event: {
      type: 'approval.voted',
      data: { approval_id: id, by, action_hash: hash, votes: counted.length, quorum, edited: editedArgs !== null },
    },
  };
}

/** Puts other arguments on the table, or takes the edited ones off when they are those asked for. */
function table(approval: Approval, args: Approval['args']): Approval {
  const hash = actionHash(approval.actionType, args);
  const asked = hash === actionHash(approval.actionType, approval.args);
  return { ...approval, editedArgs: asked ? null : args, actionHash: hash };
}

function checkAssigned({ id, assignees }: Approval, by: string): void {
  if (assignees.length === 0 || isAmong(by, assignees)) return;
  throw new AosError('forbidden', `"${by}" is not one of those who may decide approval "${id}".`, {
    reason: 'NOT_ASSIGNED',
  });
}
