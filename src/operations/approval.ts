/** What performs the approval API. */
import { AosError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import type { Approval } from '../governance/approval.ts';
import type { ApprovalDecision, ApprovalDesk } from '../governance/approval-desk.ts';
import type { ApprovalFilter, ApprovalPage, ApprovalStore } from '../governance/approval-store.ts';
import { isAmong } from '../governance/person.ts';
import { isProved } from '../identity/principal.ts';
import { type ApprovalPlaneParts, createPlaneForecast } from './approval-plane.ts';
import {
  answerApproval,
  approveApproval,
  askApproval,
  escalateApproval,
  getApproval,
  listApprovals,
  pendingApprovals,
  rejectApproval,
  respondApproval,
  respondRunApproval,
  runApprovals,
} from './approval-spec.ts';
import { type ApprovalView, showApproval } from './approval-view.ts';
import { type Operation, type OperationContext, realize } from './operation.ts';

const NO_REASON = 'no reason was given';

export interface ApprovalParts extends ApprovalPlaneParts {
  readonly desk: Pick<ApprovalDesk, 'decide'>;
  readonly approvals: Pick<ApprovalStore, 'find' | 'list'>;
}

export function createApprovalOperations(parts: ApprovalParts): readonly Operation[] {
  const { desk, approvals } = parts;
  const forecast = createPlaneForecast(parts);

  async function show(approval: Approval): Promise<ApprovalView> {
    const planes = await forecast([approval]);
    return showApproval(approval, planes.get(approval.id) ?? null);
  }

  async function showPage({ items, total, nextCursor }: ApprovalPage) {
    const planes = await forecast(items);
    const views = items.map((approval) => showApproval(approval, planes.get(approval.id) ?? null));
    return { items: views, total, next_cursor: nextCursor };
  }

  async function decide(id: string, decision: ApprovalDecision, context: OperationContext) {
    checkDecider(decision, context);
    return show(await desk.decide(id, decision, context.caller));
  }

  return [
    realize(listApprovals, async ({ status, ...asked }, { caller }) =>
      showPage(await approvals.list(caller, { ...filterOf(asked), status: status === 'expired' ? 'timeout' : status })),
    ),
    realize(pendingApprovals, async (asked, { caller }) =>
      showPage(await approvals.list(caller, { ...filterOf(asked), status: 'open' })),
    ),
    realize(runApprovals, async (asked, { caller }) => showPage(await approvals.list(caller, filterOf(asked)))),
    realize(getApproval, async ({ approval_id: id }, { caller }) => show(found(id, await approvals.find(id, caller)))),
    realize(approveApproval, async ({ approval_id: id, notes, args, action_hash: actionHash, by }, context) => {
      // Only a body of JSON comes here.
      const edited = args as JsonObject | undefined;
      return decide(id, { type: 'approve', notes, args: edited, actionHash, by }, context);
    }),
    realize(rejectApproval, async ({ approval_id: id, reason = NO_REASON, by }, context) =>
      decide(id, { type: 'reject', reason, by }, context),
    ),
    realize(askApproval, async ({ approval_id: id, question, by }, context) =>
      decide(id, { type: 'ask', question, by }, context),
    ),
    realize(answerApproval, async ({ approval_id: id, answer, by }, context) =>
      decide(id, { type: 'answer', answer, by }, context),
    ),
    realize(escalateApproval, async ({ approval_id: id, to, reason, by }, context) =>
      decide(id, { type: 'escalate', to, reason, by }, context),
    ),
    realize(respondApproval, async ({ approval_id: id, ...response }, context) =>
      decide(id, decisionOf(response), context),
    ),
    realize(respondRunApproval, async ({ approval_id: id, agent_id: agent, run_id: run, ...response }, context) => {
      const approval = found(id, await approvals.find(id, context.caller));
      if (approval.runId !== run || approval.agentId !== agent) throw unknown(id);
      return decide(id, decisionOf(response), context);
    }),
  ];
}

/** Where it is proved who asks, it is he who decides: nobody speaks in another's name. */
function checkDecider({ by }: ApprovalDecision, { caller, principal }: OperationContext): void {
  if (!isProved(principal)) return;
  if (caller.userId === '') {
    throw new AosError('forbidden', 'The call names no user, and who decides must be known.', {
      reason: 'DECIDER_UNKNOWN',
    });
  }
  if (by === undefined || isAmong(by, [caller.userId])) return;
  throw new AosError(
    'forbidden',
    `"by" must be left out or be you ("${caller.userId}"): a decision is that of whoever is signed in.`,
    { reason: 'DECIDER_DIFFERS' },
  );
}

interface AskedFilter {
  readonly run_id?: string | undefined;
  readonly task_id?: string | undefined;
  readonly agent_id?: string | undefined;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

function filterOf({ run_id: runId, task_id: taskId, agent_id: agentId, limit, cursor }: AskedFilter): ApprovalFilter {
  return { runId, taskId, agentId, limit, cursor };
}

interface Response {
  readonly approved: boolean;
  readonly notes?: string | null | undefined;
  readonly rejection_reason?: string | null | undefined;
  readonly by?: string | undefined;
}

function decisionOf({ approved, notes, rejection_reason: reason, by }: Response): ApprovalDecision {
  if (approved) return { type: 'approve', notes: notes ?? undefined, by };
  return { type: 'reject', reason: reason ?? notes ?? NO_REASON, by };
}

function found(id: string, approval: Approval | undefined): Approval {
  if (approval !== undefined) return approval;
  throw unknown(id);
}

function unknown(id: string): AosError {
  return new AosError('not_found', `Approval ${id} not found`, { reason: 'APPROVAL_NOT_FOUND' });
}
