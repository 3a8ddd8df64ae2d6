/**
 * Work that asks to come in, before there is anything that could wait: it is permitted or refused at once. A hold is a
 * refusal, unless what comes in can wait itself before it begins (`run-entrance.ts`). What was let in before is not judged again, so that whoever repeats a call gets what it got.
 */
import type { JsonObject } from '../core/json.ts';
import type { GovernanceDecision, KeyedEvent } from '../runs/event.ts';
import type { ProposedAction } from './action.ts';
import type { Admission, Governor } from './governor.ts';
import { refusalOf } from './verdict.ts';

export interface Admittance {
  /** What is admitted: what was asked for unless a check changed it. */
  readonly args: JsonObject;
  /** The verdict, for the log of the run that comes in; to be written with it. Undefined when nothing is to be told. */
  readonly event: KeyedEvent | undefined;
  /** The same for what is no run: to be kept in the transaction that lets it in. */
  readonly decision: GovernanceDecision | undefined;
  /** Whether it may come in and not begin before somebody has agreed. */
  readonly held: boolean;
}

/** @throws AosError what the verdict refuses with */
export async function admit(governor: Governor, admission: Admission, proposed: ProposedAction): Promise<Admittance> {
  const verdict = await governor.allow(admission, proposed);
  const held = verdict.kind === 'hold' && admission.canWait === true;
  if (verdict.kind !== 'allow' && !held) throw refusalOf(verdict);
  const { args, event } = verdict;
  return { args, event, decision: event?.type === 'governance.decided' ? event.data : undefined, held };
}
