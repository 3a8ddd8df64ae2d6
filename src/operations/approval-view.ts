/** An approval on the wire: every member that one of the seed systems' three models has, and what ours adds. */
import { z } from 'zod';
import { type Approval, approvalStatuses, autoActions, countedVotes, requestTypes } from '../governance/approval.ts';
import { approvalPriorities, escalationLevels } from '../governance/escalation.ts';
import { type ApprovalPlane, approvalPlaneView } from './approval-plane-view.ts';
import { freeForm, protocolId, time } from './field.ts';

const level = z.enum(escalationLevels);
const text = z.string();

export const approvalView = z
  .object({
    id: text,
    run_id: protocolId,
    task_id: protocolId.nullable().meta({ description: 'The task that the run works for' }),
    tenant_id: text,
    agent_id: text.nullable().meta({ description: 'The agent that wants to do it' }),
    request_type: z.enum(requestTypes),
    priority: z.enum(approvalPriorities),
    title: text,
    description: text,
    action_type: text.meta({ description: 'What is to be done, such as the name of a tool' }),
    action_details: freeForm.meta({ description: 'The arguments that are on the table: as edited, or as asked for' }),
    action_hash: text.meta({
      description: 'SHA-256 of the canonical JSON of {action_type, args: action_details}: what an approval is bound to',
    }),
    requested_args: freeForm.meta({ description: 'The arguments as asked for' }),
    edited: z.boolean().meta({ description: 'Whether an approver put other arguments on the table' }),
    plane: approvalPlaneView.nullable().meta({
      description: 'Where it would go now; null unless it is an action for a plane and still open',
    }),
    step: text.meta({ description: 'The step of the run that waits for it' }),
    step_number: z.int().nullable().meta({ description: 'Steps here have names: always null' }),
    status: z.enum(approvalStatuses),
    requested_at: time,
    created_at: time,
    expires_at: time.meta({ description: 'When auto_action happens' }),
    responded_at: time.nullable(),
    decided_at: time.nullable(),
    responded_by: text.nullable().meta({ description: 'The names of decided_by, joined by commas' }),
    decided_by: z.array(text).meta({ description: 'Whose decision it was; empty when time decided' }),
    approval_notes: text.nullable(),
    rejection_reason: text.nullable(),
    auto_action: z.enum(autoActions),
    escalate_to: text.nullable(),
    escalation_level: level,
    assigned_to: text.nullable().meta({ description: 'The person it was given to last' }),
    assigned_group: text.nullable().meta({ description: 'The group it was given to last: approvers_<level>' }),
    assignees: z.array(text).meta({ description: 'Those who may decide; empty for everybody of the tenant' }),
    quorum: z.int().min(1).meta({ description: 'How many different people must approve' }),
    approved_by: z.array(text).meta({ description: 'Those who approved what is on the table' }),
    requested_by: z.array(text).meta({ description: 'Those who want it, and so cannot approve it' }),
    risk_score: z.number().min(0).max(1).nullable(),
    risk_factors: z.array(text),
    conditions: z.array(text),
    question: text.nullable().meta({ description: 'What an approver asked back and nobody has answered yet' }),
    questions: z.array(
      z.object({
        question: text,
        asked_by: text,
        asked_at: time,
        answer: text.nullable(),
        answered_by: text.nullable(),
        answered_at: time.nullable(),
      }),
    ),
    escalation_history: z.array(
      z.object({ from: level, to: level, assigned_to: text.nullable(), by: text, at: time, reason: text }),
    ),
    assignment_history: z.array(
      z.object({ assigned_to: z.array(text), assigned_group: text.nullable(), at: time, by: text }),
    ),
  })
  .meta({ id: 'Approval', description: 'Something a run may only do when people allow it' });

export type ApprovalView = z.input<typeof approvalView>;

/** @param plane where it would go now, when it is for a plane */
export function showApproval(approval: Approval, plane: ApprovalPlane | null): ApprovalView {
  const last = approval.assignmentHistory.at(-1);
  const exchange = approval.exchanges.at(-1);
  return {
    id: approval.id,
    run_id: approval.runId,
    task_id: approval.taskId,
    tenant_id: approval.tenantId,
    agent_id: approval.agentId,
    request_type: approval.requestType,
    priority: approval.priority,
    title: approval.title,
    description: approval.description,
    action_type: approval.actionType,
    action_details: approval.editedArgs ?? approval.args,
    action_hash: approval.actionHash,
    requested_args: approval.args,
    edited: approval.editedArgs !== null,
    plane,
    step: approval.stepName,
    step_number: null,
    status: approval.status,
    requested_at: approval.requestedAt,
    created_at: approval.requestedAt,
    expires_at: approval.expiresAt,
    responded_at: approval.decidedAt,
    decided_at: approval.decidedAt,
    responded_by: approval.decidedBy.length === 0 ? null : approval.decidedBy.join(', '),
    decided_by: [...approval.decidedBy],
    approval_notes: approval.notes,
    rejection_reason: approval.rejectionReason,
    auto_action: approval.autoAction,
    escalate_to: approval.escalateTo,
    escalation_level: approval.escalationLevel,
    assigned_to: last?.assigned_to.at(-1) ?? null,
    assigned_group: last?.assigned_group ?? null,
    assignees: [...approval.assignees],
    quorum: approval.quorum,
    approved_by: countedVotes(approval).map(({ by }) => by),
    requested_by: [...approval.requesters],
    risk_score: approval.riskScore,
    risk_factors: [...approval.riskFactors],
    conditions: [...approval.conditions],
    question: exchange?.answer === null ? exchange.question : null,
    questions: [...approval.exchanges],
    escalation_history: [...approval.escalationHistory],
    assignment_history: [...approval.assignmentHistory],
  };
}

/** An approval as the documents show it. */
export const approvalExample = {
  id: '6f1f6ad1-8d0a-8c3e-8b52-6a4f0d3c9e17',
  run_id: '0d9f3c52-6c5e-4a53-9b43-2f9a1c7e5d10',
  task_id: null,
  tenant_id: 'default',
  agent_id: 'cfo',
  request_type: 'tool_execution',
  priority: 'high',
  title: 'record_decision wants to run',
  description: 'The agent cfo wants to use the tool record_decision.',
  action_type: 'record_decision',
  action_details: { decision: 'hold hiring until Q3' },
  action_hash: '3d1f7e0b9f0c4a58b7d0c5c7c5ab4a2f6e0f9f6b0f3f4a1d9e8c7b6a5f4e3d2c',
  requested_args: { decision: 'hold hiring until Q3' },
  edited: false,
  plane: null,
  step: 'round-1/cfo/tool-1/record_decision',
  step_number: null,
  status: 'pending',
  requested_at: '2026-02-01T10:00:00.000Z',
  created_at: '2026-02-01T10:00:00.000Z',
  expires_at: '2026-02-01T10:30:00.000Z',
  responded_at: null,
  decided_at: null,
  responded_by: null,
  decided_by: [],
  approval_notes: null,
  rejection_reason: null,
  auto_action: 'reject',
  escalate_to: null,
  escalation_level: 'none',
  assigned_to: null,
  assigned_group: null,
  assignees: [],
  quorum: 1,
  approved_by: [],
  requested_by: [],
  risk_score: null,
  risk_factors: [],
  conditions: [],
  question: null,
  questions: [],
  escalation_history: [],
  assignment_history: [],
} satisfies ApprovalView;
