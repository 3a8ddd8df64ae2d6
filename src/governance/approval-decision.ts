/**
 * What people and time do to an approval: pure moves from one state of it to the next, each with the event that tells
 * it. An approval that is no longer open refuses every move, so that there is one outcome.
 */
import { AosError } from '../core/errors.ts';
import type { EventData } from '../runs/event.ts';
import { actionHash } from './action-hash.ts';
import { type Approval, isOpen, type Vote } from './approval.ts';
import type { ApprovalDecision } from './approval-desk.ts';
import { asStored } from './approval-request.ts';
import { type EscalationStop, levelSeconds, nextStop } from './escalation.ts';
import { distinct, isAmong } from './person.ts';

type ApprovalEventType = Extract<keyof EventData, `approval.${string}`>;
export type ApprovalEvent = {
  [T in ApprovalEventType]: { readonly type: T; readonly data: EventData[T] };
}[ApprovalEventType];

export interface Moved {
  readonly approval: Approval;
  readonly event: ApprovalEvent;
}

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

/** What time makes of it; undefined before its deadline, and when it is no longer open. @param at epoch milliseconds */
export function expire(approval: Approval, at: number): Moved | undefined {
  if (!isOpen(approval) || at < Date.parse(approval.expiresAt)) return undefined;
  const time = new Date(at).toISOString();
  const { autoAction, editedArgs } = approval;
  // Arguments that some approver wants otherwise are not the ones that may pass by silence.
  if (autoAction === 'approve' && editedArgs === null) return end(approval, 'approved', { by: [], at: time });
  const stop = autoAction === 'escalate' ? nextStopOf(approval, null) : undefined;
  if (stop !== undefined) return escalate(approval, stop, { by: 'system', at, reason: 'nobody decided in time' });
  return end(approval, 'timeout', { by: [], at: time, reason: `nobody decided until ${approval.expiresAt}` });
}

/** The run it was for has ended; undefined when it was no longer open. @param at epoch milliseconds */
export function cancel(approval: Approval, at: number): Approval | undefined {
  if (!isOpen(approval)) return undefined;
  return {
    ...approval,
    status: 'cancelled',
    decidedAt: new Date(at).toISOString(),
    rejectionReason: 'the run has ended',
  };
}

/** The votes that count: one of each person, for what is on the table. */
export function countedVotes({ votes, actionHash: hash }: Approval): readonly Vote[] {
  return votes.filter((vote) => vote.action_hash === hash);
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

function askBack(approval: Approval, question: string, by: string, at: string): Moved {
  checkAssigned(approval, by);
  if (approval.exchanges.at(-1)?.answer === null) {
    throw new AosError(
      'conflict',
      `Approval "${approval.id}" has a question that is not answered yet: one at a time.`,
      {
        reason: 'QUESTION_OPEN',
        facts: { status: approval.status },
      },
    );
  }
  const asked = { question, asked_by: by, asked_at: at, answer: null, answered_by: null, answered_at: null };
  const exchanges = [...approval.exchanges, asked];
  return {
    approval: { ...approval, exchanges },
    event: { type: 'approval.asked', data: { approval_id: approval.id, number: exchanges.length, question, by } },
  };
}

function answer(approval: Approval, text: string, by: string, at: string): Moved {
  const last = approval.exchanges.at(-1);
  if (last?.answer !== null) {
    throw new AosError('conflict', `Approval "${approval.id}" has no question that waits for an answer.`, {
      reason: 'NO_QUESTION',
      facts: { status: approval.status },
    });
  }
  const answered = { ...last, answer: text, answered_by: by, answered_at: at };
  const exchanges = [...approval.exchanges.slice(0, -1), answered];
  return {
    approval: { ...approval, exchanges },
    event: {
      type: 'approval.answered',
      data: { approval_id: approval.id, number: exchanges.length, answer: text, by },
    },
  };
}

function escalate(
  approval: Approval,
  stop: EscalationStop,
  { by, at, reason }: { by: string; at: number; reason: string },
): Moved {
  const time = new Date(at).toISOString();
  const from = approval.escalationLevel;
  const expiresAt = new Date(at + levelSeconds(approval.priority) * 1000).toISOString();
  // A person comes to those who may decide already; a level is open to all of the tenant, as it has no members here.
  const { person, level } = stop;
  const assignees = person === null || approval.assignees.length === 0 ? [] : distinct([...approval.assignees, person]);
  const group = person === null ? `approvers_${level}` : null;
  const step = { from, to: level, assigned_to: person, by, at: time, reason };
  const assignment = { assigned_to: person === null ? [] : [person], assigned_group: group, at: time, by };
  return {
    approval: {
      ...approval,
      status: 'escalated',
      escalationLevel: level,
      expiresAt,
      assignees,
      escalationHistory: [...approval.escalationHistory, step],
      assignmentHistory: [...approval.assignmentHistory, assignment],
    },
    event: {
      type: 'approval.escalated',
      data: { approval_id: approval.id, from, to: level, assigned_to: person, by, reason, expires_at: expiresAt },
    },
  };
}

interface End {
  readonly by: readonly string[];
  readonly at: string;
  readonly notes?: string | null;
  readonly reason?: string;
}

function end(
  approval: Approval,
  status: 'approved' | 'rejected' | 'timeout',
  { by, at, notes = null, reason }: End,
): Moved {
  const approved = status === 'approved';
  const edited = approved && approval.editedArgs !== null;
  return {
    approval: { ...approval, status, decidedAt: at, decidedBy: by, notes, rejectionReason: reason ?? null },
    event: {
      type: 'approval.decided',
      data: {
        approval_id: approval.id,
        status,
        decided_by: [...by],
        ...(approved && { action_hash: approval.actionHash, edited }),
        ...(edited && approval.editedArgs !== null && { args: approval.editedArgs }),
        ...(notes !== null && { notes }),
        ...(reason !== undefined && { reason }),
      },
    },
  };
}

/** Only at first does the request itself say to whom it goes. */
function nextStopOf(
  { priority, escalationLevel, escalateTo }: Approval,
  wish: string | null,
): EscalationStop | undefined {
  return nextStop(priority, escalationLevel, wish ?? (escalationLevel === 'none' ? escalateTo : null));
}

function checkAssigned({ id, assignees }: Approval, by: string): void {
  if (assignees.length === 0 || isAmong(by, assignees)) return;
  throw new AosError('forbidden', `"${by}" is not one of those who may decide approval "${id}".`, {
    reason: 'NOT_ASSIGNED',
  });
}

/** The refusal of whoever comes second. */
export function decided({ id, status, decidedBy }: Approval): AosError {
  const whom = decidedBy.length === 0 ? '' : ` by ${decidedBy.join(', ')}`;
  return new AosError('conflict', `Approval "${id}" is ${status} already${whom}; the first decision stands.`, {
    reason: 'APPROVAL_DECIDED',
    facts: { status, decided_by: [...decidedBy] },
  });
}
