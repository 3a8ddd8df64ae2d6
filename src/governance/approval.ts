/**
 * An approval: what a run wants done, who may allow it, and what became of that. Everything that may happen to one is
 * written down here as functions from an approval to the next; storing it is `approval-store.ts`.
 *
 * pending ⇄ escalated while it stands open (an escalated one is pending at a higher level); then, once and for good,
 * approved, rejected, timeout or cancelled.
 */
import type { JsonObject } from '../core/json.ts';
import type { ApprovalPriority, EscalationLevel } from './escalation.ts';

export const approvalStatuses = ['pending', 'approved', 'rejected', 'timeout', 'escalated', 'cancelled'] as const;
export type ApprovalStatus = (typeof approvalStatuses)[number];

export const requestTypes = [
  'tool_execution',
  'data_access',
  'resource_allocation',
  'policy_override',
  'agent_action',
  'configuration_change',
  'deployment',
  'escalation',
] as const;
export type RequestType = (typeof requestTypes)[number];

export const autoActions = ['reject', 'approve', 'escalate'] as const;
export type AutoAction = (typeof autoActions)[number];

/** One person's yes, to exactly the action of that hash. */
export type Vote = { by: string; at: string; action_hash: string; notes: string | null };

/** A question of an approver; `answer` is null while it stands. */
export type Exchange = {
  question: string;
  asked_by: string;
  asked_at: string;
  answer: string | null;
  answered_by: string | null;
  answered_at: string | null;
};

export type Escalation = {
  from: EscalationLevel;
  to: EscalationLevel;
  assigned_to: string | null;
  by: string;
  at: string;
  reason: string;
};

export type Assignment = { assigned_to: string[]; assigned_group: string | null; at: string; by: string };

/** Which approval, among those of all tenants. */
export type ApprovalKey = Pick<Approval, 'tenantId' | 'id'>;

export interface Approval {
  readonly id: string;
  readonly tenantId: string;
  /** The user of the run; '' when it has none. */
  readonly userId: string;
  readonly runId: string;
  readonly taskId: string | null;
  readonly agentId: string | null;
  readonly requestType: RequestType;
  readonly priority: ApprovalPriority;
  readonly title: string;
  readonly description: string;
  readonly actionType: string;
  /** The name it was asked under within the run. */
  readonly stepName: string;
  /** As asked for. */
  readonly args: JsonObject;
  /** As an approver edited them; null when nobody did. */
  readonly editedArgs: JsonObject | null;
  /** Hash of what is on the table: the action with the edited arguments, or those asked for. */
  readonly actionHash: string;
  readonly status: ApprovalStatus;
  /** All times ISO-8601 UTC. */
  readonly requestedAt: string;
  /** When time decides. */
  readonly expiresAt: string;
  readonly decidedAt: string | null;
  /** Those whose decision it was; empty when time decided or the run ended. */
  readonly decidedBy: readonly string[];
  readonly notes: string | null;
  readonly rejectionReason: string | null;
  readonly autoAction: AutoAction;
  readonly escalateTo: string | null;
  readonly escalationLevel: EscalationLevel;
  /** Names of those who may decide; empty for everybody of the tenant. */
  readonly assignees: readonly string[];
  readonly quorum: number;
  /** Those who want it, and so cannot approve it. */
  readonly requesters: readonly string[];
  /** 0..1; null when nobody judged it. */
  readonly riskScore: number | null;
  readonly riskFactors: readonly string[];
  readonly conditions: readonly string[];
  readonly votes: readonly Vote[];
  readonly exchanges: readonly Exchange[];
  readonly escalationHistory: readonly Escalation[];
  readonly assignmentHistory: readonly Assignment[];
}

/** Whether somebody may still decide. */
export function isOpen({ status }: Pick<Approval, 'status'>): boolean {
  return status === 'pending' || status === 'escalated';
}

/** The votes that count: one of each person, for what is on the table. */
export function countedVotes({ votes, actionHash: hash }: Approval): readonly Vote[] {
  return votes.filter((vote) => vote.action_hash === hash);
}
