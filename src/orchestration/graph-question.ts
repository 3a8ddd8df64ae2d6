/** What people are asked at a node of a graph, and what their answer is to the graph. */
import { AosError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import type { ApprovalAsk, ApprovalOutcome } from '../governance/approval-desk.ts';
import type { ApprovalQuestionSpec, GraphNode } from './graph-definition.ts';
import { asText, fillIn, type GraphView } from './graph-reference.ts';

/** What a node is going to do, as far as people decide about it. */
export interface Proposal {
  /** Unique in the run. */
  readonly name: string;
  readonly requestType: ApprovalAsk['requestType'];
  readonly actionType: string;
  readonly agentId: string | null;
  readonly args: JsonObject;
}

export function askOf(node: GraphNode, spec: ApprovalQuestionSpec, proposal: Proposal, view: GraphView): ApprovalAsk {
  const { expires_in_seconds: seconds, auto_action, priority, quorum, escalate_to, assignees } = spec;
  const words = (text: string | undefined, otherwise: string) =>
    (text === undefined ? '' : asText(fillIn(text, view)).trim()) || otherwise;
  return {
    ...proposal,
    title: words(spec.title, node.title ?? `${node.id} wants to go on`),
    description: words(spec.description, `The node "${node.id}" of the graph wants to do ${proposal.actionType}.`),
    ...(seconds === undefined ? {} : { expiresInSeconds: seconds }),
    ...(auto_action === undefined ? {} : { autoAction: auto_action }),
    ...(priority === undefined ? {} : { priority }),
    ...(quorum === undefined ? {} : { quorum }),
    ...(escalate_to === undefined ? {} : { escalateTo: escalate_to }),
    ...(assignees === undefined ? {} : { assignees }),
  };
}

/** The output of an approval node. */
export function decisionOutput(outcome: ApprovalOutcome): JsonObject {
  return {
    approved: outcome.decision === 'approved',
    decision: outcome.decision,
    approval_id: outcome.approvalId,
    by: [...outcome.by],
    args: outcome.decision === 'approved' ? outcome.args : null,
    reason: outcome.decision === 'approved' ? null : outcome.reason,
  };
}

/** Why a node is not done that nobody allowed. */
export function refusalOf(outcome: Exclude<ApprovalOutcome, { decision: 'approved' }>): AosError {
  const what =
    outcome.decision === 'timeout'
      ? 'nobody decided in time'
      : `it was rejected by ${outcome.by.join(', ') || 'nobody'}`;
  return new AosError('cancelled', `${what}: ${outcome.reason}`, { retry: 'never', reason: 'APPROVAL_REJECTED' });
}
