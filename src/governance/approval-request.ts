/** How an approval begins: what was asked, made complete, and refused when nobody could ever approve it so. */
import { AosError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import { actionHash } from './action-hash.ts';
import type { Approval } from './approval.ts';
import type { ApprovalAsk } from './approval-desk.ts';
import { levelSeconds } from './escalation.ts';
import { distinct, isAmong } from './person.ts';

const MAX_SECONDS = 366 * 24 * 3600;

/** The run that asks, as far as its approval tells of it. */
export interface Asker {
  readonly runId: string;
  readonly tenantId: string;
  /** '' when the run has no user. */
  readonly userId: string;
  readonly taskId: string | null;
}

/**
 * A new, pending approval.
 * @param at epoch milliseconds
 * @throws AosError invalid_request
 */
export function openApproval(id: string, ask: ApprovalAsk, asker: Asker, at: number): Approval {
  const { name, priority = 'medium', quorum = 1, autoAction = 'reject' } = ask;
  const assignees = distinct(ask.assignees ?? []);
  const requesters = distinct([ask.requester ?? '', asker.userId]);
  const seconds = ask.expiresInSeconds ?? levelSeconds(priority);
  if (!(seconds >= 1 && seconds <= MAX_SECONDS)) {
    throw refusal(name, `must be open for 1 to ${MAX_SECONDS} seconds, not ${seconds}`);
  }
  if (!Number.isInteger(quorum) || quorum < 1) throw refusal(name, `needs a quorum of 1 or more, not ${quorum}`);
  const approvers = assignees.filter((person) => !isAmong(person, requesters)).length;
  if (assignees.length > 0 && approvers < quorum) {
    throw refusal(
      name,
      `needs ${quorum} approving, but only ${approvers} of its assignees may: who requests an action cannot approve it`,
    );
  }
  const args = asStored(ask.args);
  const requestedAt = new Date(at).toISOString();
  return {
    ...asker,
    id,
    agentId: ask.agentId,
    requestType: ask.requestType,
    priority,
    title: ask.title,
    description: ask.description,
    actionType: ask.actionType,
    stepName: name,
    args,
    editedArgs: null,
    actionHash: actionHash(ask.actionType, args),
    status: 'pending',
    requestedAt,
    expiresAt: new Date(at + seconds * 1000).toISOString(),
    decidedAt: null,
    decidedBy: [],
    notes: null,
    rejectionReason: null,
    autoAction,
    escalateTo: ask.escalateTo ?? null,
    escalationLevel: 'none',
    assignees,
    quorum,
    requesters,
    riskScore: ask.riskScore ?? null,
    riskFactors: ask.riskFactors ?? [],
    conditions: [],
    votes: [],
    exchanges: [],
    escalationHistory: [],
    assignmentHistory:
      assignees.length === 0 ? [] : [{ assigned_to: assignees, assigned_group: null, at: requestedAt, by: 'system' }],
  };
}

/** The arguments as they come back from the database: -0 and members that are undefined are not JSON. */
export function asStored(args: JsonObject): JsonObject {
  return JSON.parse(JSON.stringify(args)) as JsonObject;
}

function refusal(name: string, what: string): AosError {
  return new AosError('invalid_request', `The approval "${name}" ${what}.`);
}
