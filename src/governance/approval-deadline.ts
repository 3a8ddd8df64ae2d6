/** What time does to an approval that nobody decides, and how it is passed on to the next level, by time or by people. */
import { type Approval, isOpen } from './approval.ts';
import { end, type Moved } from './approval-outcome.ts';
import { type EscalationStop, levelSeconds, nextStop } from './escalation.ts';
import { distinct } from './person.ts';

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

/** Passes it on, with a new deadline. */
export function escalate(
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

/** Only at first does the request itself say to whom it goes. */
export function nextStopOf(
  { priority, escalationLevel, escalateTo }: Approval,
  wish: string | null,
): EscalationStop | undefined {
  return nextStop(priority, escalationLevel, wish ?? (escalationLevel === 'none' ? escalateTo : null));
}
