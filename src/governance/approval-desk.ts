/**
 * Where a run asks people whether it may do something, and waits for their answer without holding a worker.
 */
import type { JsonObject } from '../core/json.ts';
import type { RunScope } from '../engine/engine.ts';

export interface ApprovalQuestion {
  /** Unique within the run, e.g. the name of the step that waits for it. */
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly requestType: string;
  readonly actionType: string;
  readonly agentId: string;
  /** Exactly what is to be approved; an approver may edit it. */
  readonly args: JsonObject;
  readonly priority?: string;
  readonly expiresInSeconds?: number;
  readonly autoAction?: 'approve' | 'reject' | 'escalate';
  readonly escalateTo?: readonly string[];
  readonly assignees?: readonly string[];
  readonly quorum?: number;
  readonly requester?: string;
  /** Answers an approver who asks back. */
  readonly onQuestion?: (question: string) => Promise<string>;
}

export type ApprovalOutcome =
  | {
      readonly decision: 'approved';
      /** As approved. */
      readonly args: JsonObject;
      readonly approvalId: string;
      readonly by: readonly string[];
    }
  | {
      readonly decision: 'rejected' | 'timeout';
      readonly reason: string;
      readonly approvalId: string;
      readonly by: readonly string[];
    };

export interface ApprovalDesk {
  /** Durable: a resumed run gets the same answer, and asks nobody twice. To be called between steps. */
  ask(scope: RunScope, question: ApprovalQuestion): Promise<ApprovalOutcome>;
}
