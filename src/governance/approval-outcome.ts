/** The moves of an approval, and its ends: approved, rejected, timeout, cancelled. Whoever comes after one is refused. */
import { AosError } from '../core/errors.ts';
import type { EventData } from '../runs/event.ts';
import { type Approval, isOpen } from './approval.ts';

type ApprovalEventType = Extract<keyof EventData, `approval.${string}`>;
export type ApprovalEvent = {
  [T in ApprovalEventType]: { readonly type: T; readonly data: EventData[T] };
}[ApprovalEventType];

export interface Moved {
  readonly approval: Approval;
  readonly event: ApprovalEvent;
}

interface End {
  readonly by: readonly string[];
  readonly at: string;
  readonly notes?: string | null;
  readonly reason?: string;
}

/** The end of an approval by people or by time, with the event that tells it. */
export function end(
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

/** Nobody needs it any more; undefined when it was no longer open. @param at epoch milliseconds */
export function cancel(approval: Approval, at: number, why = 'the run has ended'): Approval | undefined {
  if (!isOpen(approval)) return undefined;
  return {
    ...approval,
    status: 'cancelled',
    decidedAt: new Date(at).toISOString(),
    rejectionReason: why,
  };
}

/** The refusal of whoever comes second. */
export function decided({ id, status, decidedBy }: Approval): AosError {
  const whom = decidedBy.length === 0 ? '' : ` by ${decidedBy.join(', ')}`;
  return new AosError('conflict', `Approval "${id}" is ${status} already${whom}; the first decision stands.`, {
    reason: 'APPROVAL_DECIDED',
    facts: { status, decided_by: [...decidedBy] },
  });
}
