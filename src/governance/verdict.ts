/**
 * A verdict: what the governor says to an action. Only `allow` permits it, and only with the verdict's arguments. A
 * `hold` is for whoever can wait: it says what has to happen first.
 */
import type { ErrorCode } from '../core/errors.ts';
import { AosError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import type { KeyedEvent } from '../runs/event.ts';
import type { ApprovalPriority } from './escalation.ts';

/** The checks, in the order in which they are made; what comes after a denial is not asked any more. */
export const checkNames = ['rate', 'raci', 'screening', 'policy', 'budget', 'approval'] as const;
export type CheckName = (typeof checkNames)[number];

/** What has to be done along with the action. */
export type Obligation =
  /** Tell this party of RACI. */
  | { readonly kind: 'inform'; readonly party: string }
  /** The arguments were changed: these kinds of personal data were taken out of them. */
  | { readonly kind: 'redacted'; readonly types: readonly string[] }
  /** What was set aside for it, under this name in its run, is to be settled or given back. */
  | { readonly kind: 'settle'; readonly reservation: string; readonly amounts: Readonly<Record<string, number>> };

/** Who must agree before the action may go on. */
export interface ApprovalDemand {
  /** Parties of RACI; people of each may decide. */
  readonly parties: readonly string[];
  /** Names of people; empty for everybody of the tenant. */
  readonly assignees: readonly string[];
  readonly quorum: number;
  readonly priority?: ApprovalPriority | undefined;
  /** Where it goes when nobody decides. */
  readonly escalateTo?: string | undefined;
}

/** What a check found. */
export type Finding =
  | {
      readonly kind: 'pass';
      readonly rule: string;
      readonly reason?: string;
      /** What it may be done with, when not with what was asked for. */
      readonly args?: JsonObject;
      readonly obligations?: readonly Obligation[];
      /** What would have been said if the rule were enforced. */
      readonly shadow?: ShadowFinding;
    }
  | {
      readonly kind: 'deny';
      readonly rule: string;
      readonly reason: string;
      /** What the caller is told it is; `forbidden` when left out. */
      readonly code?: ErrorCode;
      readonly retryAfterMs?: number;
      /** What programs are told beside it, when there is more to tell than that it is denied. */
      readonly refusal?: Refusal;
    }
  | { readonly kind: 'hold'; readonly rule: string; readonly reason: string; readonly demand: ApprovalDemand };

/** The finer word of an error, and facts beside its message. */
export type Refusal = { readonly reason: string; readonly facts: JsonObject };

/** What a rule that is only watched would have done. */
export type ShadowFinding = { readonly kind: 'deny' | 'hold'; readonly rule: string; readonly reason: string };

interface VerdictBase {
  /** Of the check that decided: `<check>/<rule>`. */
  readonly rule: string;
  /** A sentence for people. */
  readonly reason: string;
  /** The one party that answers for it; null when RACI is not asked. */
  readonly accountable: string | null;
  readonly responsible: readonly string[];
  readonly obligations: readonly Obligation[];
  /** What the action may be done with: what was asked for unless a check or an approver changed it. */
  readonly args: JsonObject;
  /**
   * What the log of the run is to be told in the step that acts on the verdict, or with what is let in. Undefined when
   * there is nothing to tell or it has been told, and outside of runs.
   */
  readonly event: KeyedEvent | undefined;
}

export type Verdict =
  | (VerdictBase & { readonly kind: 'allow'; readonly approvedBy: readonly string[]; readonly edited: boolean })
  | (VerdictBase & {
      readonly kind: 'deny';
      readonly code: ErrorCode;
      readonly retryAfterMs?: number | undefined;
      readonly refusal?: Refusal | undefined;
    })
  | (VerdictBase & { readonly kind: 'hold'; readonly demand: ApprovalDemand });

/** Options of the step that ends an action for which budgets have set something aside. */
export interface VerdictSettlement {
  readonly settle?: { readonly of: string; readonly used: () => Readonly<Record<string, number>> };
}

/**
 * How the step that ends the action settles what budgets have set aside for it.
 * @param isDone whether it was done: what was not gives everything back
 */
export function settlementOf({ obligations }: Pick<Verdict, 'obligations'>, isDone: boolean): VerdictSettlement {
  const found = obligations.find((each) => each.kind === 'settle');
  if (found === undefined) return {};
  const used = isDone ? found.amounts : {};
  return { settle: { of: found.reservation, used: () => used } };
}

/** A verdict that does not permit, as the error its asker gets. */
export function refusalOf(verdict: Exclude<Verdict, { kind: 'allow' }>): AosError {
  const { rule, reason, accountable } = verdict;
  const facts = { rule, accountable };
  if (verdict.kind === 'hold') {
    return new AosError('forbidden', `${reason} Nobody can be asked for it here.`, {
      reason: 'APPROVAL_REQUIRED',
      facts,
    });
  }
  const { code, retryAfterMs, refusal } = verdict;
  return new AosError(code, reason, {
    reason: refusal?.reason ?? 'GOVERNANCE_DENIED',
    facts: { ...facts, ...refusal?.facts },
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
}
