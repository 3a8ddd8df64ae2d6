/** Approvals for tests: something to ask for, and one that stands open. */
import type { Approval } from '../../src/governance/approval.ts';
import type { ApprovalAsk } from '../../src/governance/approval-desk.ts';
import { openApproval } from '../../src/governance/approval-request.ts';

export const T0 = Date.UTC(2026, 0, 1);

export function testAsk(change: Partial<ApprovalAsk> = {}): ApprovalAsk {
  return {
    name: 'turn-1/tool-1',
    title: 'Pay the invoice',
    description: 'The agent wants to pay invoice 7.',
    requestType: 'tool_execution',
    actionType: 'pay',
    agentId: 'cfo',
    args: { invoice: 7, amount: 100 },
    ...change,
  };
}

/** Requested at `T0` by the run of `userId` (ann, if nobody else). */
export function pendingApproval(change: Partial<ApprovalAsk> = {}, userId = 'ann'): Approval {
  return openApproval('approval-1', testAsk(change), { runId: 'run-1', tenantId: 'default', userId, taskId: null }, T0);
}
