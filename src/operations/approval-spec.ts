/** The approval API, as its documents tell it. */
import { z } from 'zod';
import type { ErrorCode } from '../core/errors.ts';
import { approvalStatuses } from '../governance/approval.ts';
import { approvalExample, approvalView } from './approval-view.ts';
import { agentId, cursor, freeForm, nextCursor, pageSize, protocolId } from './field.ts';
import { specify } from './operation.ts';

const PATH = '/api/v1/approvals';
const AGENTS = '/api/v1/agents';

const words = z.string().trim().min(1).max(10_000);
const by = z.string().trim().min(1).max(256).optional().meta({
  description:
    'Who decides, when the call itself names no user; else left aside, and where callers are authenticated refused unless it is the caller',
});
const byId = z.object({ approval_id: z.string().min(1).max(256) });
const REFUSALS = ['not_found', 'forbidden', 'conflict'] as const satisfies readonly ErrorCode[];
const DECISION =
  'The first decision stands: whoever comes later gets a 409 with its `status` and `decided_by`. Who requested an action cannot approve it.';

const page = z.object({ items: z.array(approvalView), total: z.int(), next_cursor: nextCursor });
const pageExample = { output: { items: [approvalExample], total: 1, next_cursor: null } };
const filters = {
  run_id: protocolId.optional(),
  task_id: protocolId.optional(),
  agent_id: agentId.optional(),
  limit: pageSize,
  cursor,
};

export const listApprovals = specify({
  name: 'approvals.list',
  summary: 'What people were asked to allow, newest first',
  input: z.object({
    status: z
      .enum([...approvalStatuses, 'expired', 'open'])
      .optional()
      .meta({ description: '`open`: pending or escalated; `expired` is another word for timeout' }),
    ...filters,
  }),
  output: page,
  rest: { method: 'GET', path: PATH, aliases: [`${AGENTS}/approvals`], status: 200, family: 'detail' },
  example: pageExample,
});

export const pendingApprovals = specify({
  name: 'approvals.pending',
  summary: 'What still waits for a decision',
  input: z.object(filters),
  output: page,
  rest: { method: 'GET', path: `${AGENTS}/approvals/pending`, status: 200, family: 'detail' },
  example: pageExample,
});

export const runApprovals = specify({
  name: 'approvals.of_run',
  summary: 'What an agent asked for in one run',
  input: z.object({ agent_id: agentId, run_id: protocolId, limit: pageSize, cursor }),
  output: page,
  rest: { method: 'GET', path: `${AGENTS}/{agent_id}/runs/{run_id}/approvals`, status: 200, family: 'detail' },
  example: pageExample,
});

export const getApproval = specify({
  name: 'approvals.get',
  summary: 'One approval',
  input: byId,
  output: approvalView,
  rest: {
    method: 'GET',
    path: `${PATH}/{approval_id}`,
    aliases: [`${AGENTS}/approvals/{approval_id}`],
    status: 200,
    family: 'detail',
  },
  errors: ['not_found'],
  example: { output: approvalExample },
});

const decision = (verb: string) =>
  ({ method: 'POST', path: `${PATH}/{approval_id}/${verb}`, status: 200, family: 'detail' }) as const;

export const approveApproval = specify({
  name: 'approvals.approve',
  summary: 'Allow it, as asked for or with other arguments',
  access: 'approve',
  description: `${DECISION} With \`args\` these are approved in place of those asked for; votes for other arguments count no more.`,
  input: byId.extend({
    notes: words.optional(),
    args: freeForm.optional().meta({ description: 'Edited arguments, all of them' }),
    action_hash: z
      .string()
      .regex(/^[0-9a-f]{64}$/, { error: 'must be 64 hex digits' })
      .optional()
      .meta({ description: 'action_hash as it was read: refused with 409 when something else is on the table now' }),
    by,
  }),
  output: approvalView,
  screens: ['notes', 'args'],
  rest: decision('approve'),
  errors: REFUSALS,
  example: { input: { notes: 'Agreed with finance.', by: 'dana' } },
});

export const rejectApproval = specify({
  name: 'approvals.reject',
  summary: 'Refuse it',
  access: 'approve',
  description: `${DECISION} One rejection ends it, whatever the quorum. The run is told the reason and goes on without the action.`,
  input: byId.extend({ reason: words.optional(), by }),
  output: approvalView,
  screens: ['reason'],
  rest: decision('reject'),
  errors: REFUSALS,
  example: { input: { reason: 'Too expensive this quarter.', by: 'dana' } },
});

export const askApproval = specify({
  name: 'approvals.ask',
  summary: 'Ask the requester back',
  access: 'approve',
  description: 'The agent that wants it answers, if it can; else the question stands until somebody posts an answer.',
  input: byId.extend({ question: words, by }),
  output: approvalView,
  screens: ['question'],
  rest: decision('ask'),
  errors: REFUSALS,
  example: { input: { question: 'Why not next quarter?', by: 'dana' } },
});

export const answerApproval = specify({
  name: 'approvals.answer',
  summary: 'Answer what an approver asked back',
  input: byId.extend({ answer: words, by }),
  output: approvalView,
  screens: ['answer'],
  rest: decision('answer'),
  errors: REFUSALS,
  example: { input: { answer: 'The offer ends in March.', by: 'ann' } },
});

export const escalateApproval = specify({
  name: 'approvals.escalate',
  summary: 'Pass it on to the next level, with a new deadline',
  access: 'approve',
  description:
    'low: team_lead · medium: team_lead, manager · high: manager, director · critical: director, emergency. Past the last level 409.',
  input: byId.extend({
    to: z.string().trim().min(1).max(256).optional().meta({ description: 'A higher level, or the name of a person' }),
    reason: words.optional(),
    by,
  }),
  output: approvalView,
  screens: ['reason'],
  rest: decision('escalate'),
  errors: REFUSALS,
  example: { input: { reason: 'Above my limit.', by: 'dana' } },
});

const response = {
  approved: z.boolean(),
  notes: words.nullish(),
  rejection_reason: words.nullish(),
  by,
};
const responseExample = { input: { approved: true, notes: 'Fine.', by: 'dana' } };

export const respondApproval = specify({
  name: 'approvals.respond',
  summary: 'Allow or refuse it',
  access: 'approve',
  description: DECISION,
  input: byId.extend(response),
  output: approvalView,
  screens: ['notes', 'rejection_reason'],
  rest: { method: 'POST', path: `${AGENTS}/approvals/{approval_id}`, status: 200, family: 'detail' },
  errors: REFUSALS,
  example: responseExample,
});

export const respondRunApproval = specify({
  name: 'approvals.respond_of_run',
  summary: 'Allow or refuse what an agent asked for in one run',
  access: 'approve',
  description: DECISION,
  input: byId.extend({ agent_id: agentId, run_id: protocolId, ...response }),
  output: approvalView,
  screens: ['notes', 'rejection_reason'],
  rest: {
    method: 'POST',
    path: `${AGENTS}/{agent_id}/runs/{run_id}/approvals/{approval_id}/respond`,
    status: 200,
    family: 'detail',
  },
  errors: REFUSALS,
  example: responseExample,
});

export const approvalSpecs = [
  listApprovals,
  pendingApprovals,
  runApprovals,
  getApproval,
  approveApproval,
  rejectApproval,
  askApproval,
  answerApproval,
  escalateApproval,
  respondApproval,
  respondRunApproval,
];
