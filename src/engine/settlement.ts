/**
 * What somebody who knows says about an effect whose outcome was unknown, and how a run waits for it. An effect that was
 * under way when its process ended, or whose answer was lost, is never repeated before that.
 */
import { type Clock, isoTime } from '../core/clock.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';
import type { RunScope, Signal } from './engine.ts';

export const settledOutcomes = ['completed', 'not_done', 'failed'] as const;
/** `not_done`: it is tried again · `failed`: it is not. */
export type SettledOutcome = (typeof settledOutcomes)[number];

export interface Settlement {
  readonly outcome: SettledOutcome;
  readonly by: string;
  readonly note: string | undefined;
  /** What the target calls it. */
  readonly externalId: string | undefined;
  /** What the effect gave, where it is `completed` and somebody knows. */
  readonly result?: JsonValue | undefined;
}

/** How long a run waits for somebody who knows, when nothing else says so. */
const SETTLE_WITHIN_MS = 24 * 3_600_000;
const SUFFIX = '/settle';

/** The settlement as the signal that ends the wait carries it. */
export function settlementPayload({ outcome, note, externalId, result }: Omit<Settlement, 'by'>): JsonObject {
  return {
    outcome,
    note: note ?? null,
    external_id: externalId ?? null,
    ...(result !== undefined && { result }),
  };
}

/** @returns undefined for a signal that says nothing */
export function settlementOf({ payload, actor }: Signal): Settlement | undefined {
  const outcome = settledOutcomes.find((known) => known === payload['outcome']);
  if (outcome === undefined) return undefined;
  const text = (member: string) => {
    const value = payload[member];
    return typeof value === 'string' ? value : undefined;
  };
  const by = actor.replace(/^user:/, '');
  return { outcome, by, note: text('note'), externalId: text('external_id'), result: payload['result'] };
}

/**
 * Waits until somebody says what became of an effect.
 * @param name of the step that had it; the wait is called `<name>/settle`
 * @param detail what people should know to find out
 * @returns undefined when nobody did in a day
 */
export async function settledOutcome(
  scope: RunScope,
  clock: Clock,
  name: string,
  detail: JsonObject,
): Promise<Settlement | undefined> {
  const until = await scope.step(`${name}/settle-until`, async () => isoTime(clock.now() + SETTLE_WITHIN_MS));
  const word = await scope.wait({ name: `${name}${SUFFIX}`, reason: 'unknown_outcome', until, detail });
  return word === undefined ? undefined : settlementOf(word);
}

/** Whether a signal of that name settles an outcome: such are not sent by hand. */
export function isSettlement(name: string): boolean {
  return name.endsWith(SUFFIX) || /\/settle-\d+$/.test(name);
}
