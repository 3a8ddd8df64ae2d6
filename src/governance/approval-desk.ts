/**
 * Where a run asks for approval and where the answers of people arrive. What an approval is and what may become of it
 * is the pure `approval.ts`.
 */
import type { JsonObject } from '../core/json.ts';
import type { RunScope } from '../engine/engine.ts';
import type { Caller, WaitReason } from '../runs/run.ts';
import type { Approval, AutoAction, RequestType } from './approval.ts';
import type { ApprovalPriority } from './escalation.ts';

/** What a run asks approval for. */
export interface ApprovalAsk {
  /** Unique in the run and stable, e.g. the step's name: the same name asks the same approval once. */
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly requestType: RequestType;
  /** What is going to be done, e.g. a tool's name. */
  readonly actionType: string;
  /** The agent that wants to do it; null when no agent does. */
  readonly agentId: string | null;
  /** What it is going to be done with; the approval is bound to exactly this. */
  readonly args: JsonObject;
  readonly priority?: ApprovalPriority;
  /** How long the approvers have; by default the time of the priority: low 120, medium 60, high 30, critical 15 min. */
  readonly expiresInSeconds?: number;
  /** What happens when nobody decides in time; `reject` by default. */
  readonly autoAction?: AutoAction;
  /** A level, or the name of a person: where it goes first when it is escalated. */
  readonly escalateTo?: string;
  /** Names of those who may decide; everybody of the tenant when left out. */
  readonly assignees?: readonly string[];
  /** How many different people must approve, 1 by default. One rejection always ends it. */
  readonly quorum?: number;
  /** Who wants it, beside the run's own caller: cannot approve it. */
  readonly requester?: string;
  /** 0..1. */
  readonly riskScore?: number;
  readonly riskFactors?: readonly string[];
  /**
   * Answers an approver who asks back. It is called again when the run is resumed before the answer was stored, so what
   * takes long in it should be a step. Without it a question stands until somebody posts an answer.
   */
  readonly onQuestion?: (question: ApprovalQuestion) => Promise<string>;
}

export interface ApprovalQuestion {
  readonly text: string;
  readonly askedBy: string;
  /** 1 for the first question about this approval; good for step names. */
  readonly number: number;
}

interface OutcomeBase {
  readonly approvalId: string;
  /** Names of those whose decision it was; empty when time decided. */
  readonly by: readonly string[];
}

/** What became of it. Only `approved` permits the action, and only with these arguments (an approver may edit them). */
export type ApprovalOutcome =
  | (OutcomeBase & { readonly decision: 'approved'; readonly args: JsonObject; readonly edited: boolean })
  | (OutcomeBase & { readonly decision: 'rejected'; readonly reason: string })
  | (OutcomeBase & { readonly decision: 'timeout'; readonly reason: string });

/** What somebody decides about an approval. `by` names the decider where the call itself names no user. */
export type ApprovalDecision = { readonly by?: string | undefined } & (
  | {
      readonly type: 'approve';
      readonly notes?: string | undefined;
      /** Other arguments than were asked for: an approval of these instead. */
      readonly args?: JsonObject | undefined;
      /** What the decider has seen; refused when it is not what is on the table. */
      readonly actionHash?: string | undefined;
    }
  | { readonly type: 'reject'; readonly reason: string }
  | { readonly type: 'ask'; readonly question: string }
  | { readonly type: 'answer'; readonly answer: string }
  | { readonly type: 'escalate'; readonly reason?: string | undefined; readonly to?: string | undefined }
);

/** How a run waits for an approval that may become needless before anybody decides. */
export interface StandingWait {
  /** What the run is said to wait for. */
  readonly reason: WaitReason;
  /** ISO-8601 UTC: from then on it is needless. */
  readonly until: string | null;
  /** Why it is needless then, for whoever looks at the approval. */
  readonly needless: string;
  /**
   * Called within the step that asks, with the name of the signals it waits for: one with `{told: 'needless'}` ends the
   * wait. Must be harmless to repeat.
   */
  requested(signal: string): Promise<void>;
}

/** The approval was taken back before anybody decided: what it was asked for has come about otherwise. */
export interface Needless {
  readonly decision: 'needless';
  readonly approvalId: string;
}

/** A desk that also takes what may become needless. */
export interface StandingDesk {
  /** As `ask` of the desk. */
  askUnless(scope: RunScope, ask: ApprovalAsk, standing: StandingWait): Promise<ApprovalOutcome | Needless>;
}

export interface ApprovalDesk {
  /**
   * Asks and waits, for days if need be, without holding a worker.
   * @throws AosError `invalid_request` when nobody could ever approve it so; `conflict` when what was approved is not
   *   what was asked; the scope's reason when the run is to end
   */
  ask(scope: RunScope, ask: ApprovalAsk): Promise<ApprovalOutcome>;
  /**
   * Decides, once: whoever comes second gets a `conflict` with the facts `status` and `decided_by`.
   * @throws AosError `not_found`, `conflict`, `forbidden` when the decider may not, `invalid_request` when nobody is named
   */
  decide(id: string, decision: ApprovalDecision, caller: Caller): Promise<Approval>;
}
