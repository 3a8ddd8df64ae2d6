/**
 * The governor: every tool call and every action on an enterprise system comes through `allow`. It puts the checks in
 * their one order and makes a verdict of what they find; what each of them looks at is its own file.
 */
import type { RunScope } from '../engine/engine.ts';
import type { Caller, Run } from '../runs/run.ts';
import type { GovernedAction, ProposedAction } from './action.ts';
import type { ApprovalDemand, CheckName, Finding, Verdict } from './verdict.ts';

/** Where an action happens: in a run that can wait, in a run that is only known, at the entrance, or in no run. */
export type ActionPlace = RunScope | Pick<Run, 'id' | 'caller'> | Admission | { readonly caller: Caller };

/** Work that asks to come in. That it was allowed is told with what comes in, and so by whoever lets it in. */
export interface Admission {
  readonly caller: Caller;
  /** Id of the run that it becomes; null when it becomes none. */
  readonly becomes: string | null;
  /** Whether it came in before, so that it is not refused now; asked before it would be. */
  readonly isThere: () => Promise<boolean>;
  /** Whether what comes in can wait for those who must agree, before it begins: then a hold is told with it as well. */
  readonly canWait?: boolean;
}

export interface Governor {
  /**
   * Judges an action, once for its name in its run: a run that is executed again gets the verdict it got. In the scope of
   * a run an approval is asked for and waited for; elsewhere such an action is a `hold`. Whoever acts writes
   * `verdict.event` with its step, and whoever lets something in writes it with that.
   * @throws AosError the scope's reason when the run is to end; never for an action that is not allowed
   */
  allow(place: ActionPlace, proposed: ProposedAction): Promise<Verdict>;
}

/** What a check may look at beside the action. */
export interface CheckContext {
  /** The scope of the run; undefined where nobody can wait. */
  readonly scope: RunScope | undefined;
  /** What the checks before this one want to have agreed to. */
  readonly demands: readonly Demanded[];
  /** The party that answers for it; null before RACI was asked. */
  readonly accountable: string | null;
  readonly responsible: readonly string[];
}

export interface Demanded {
  readonly rule: string;
  readonly reason: string;
  readonly demand: ApprovalDemand;
}

/** One, or several that all hold; the first denial among them counts. */
export type Findings = Finding | readonly Finding[];

/** One check; the governor makes them in the order of `checkNames`. */
export interface GovernorCheck {
  readonly name: CheckName;
  /** @throws AosError the scope's reason; anything else denies the action */
  check(action: GovernedAction, context: CheckContext): Findings | Promise<Findings>;
}
