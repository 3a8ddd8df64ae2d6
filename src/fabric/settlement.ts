/** What somebody who knows says about an action whose outcome was unknown. */
import type { JsonObject } from '../core/json.ts';
import type { Signal } from '../engine/engine.ts';

export const settledOutcomes = ['completed', 'not_done', 'failed'] as const;
/** `not_done`: it is tried again · `failed`: it is not. */
export type SettledOutcome = (typeof settledOutcomes)[number];

export interface Settlement {
  readonly outcome: SettledOutcome;
  readonly by: string;
  readonly note: string | undefined;
  /** What the target calls it. */
  readonly externalId: string | undefined;
}

/** The settlement as the signal that ends the wait carries it. */
export function settlementPayload({ outcome, note, externalId }: Omit<Settlement, 'by'>): JsonObject {
  return { outcome, note: note ?? null, external_id: externalId ?? null };
}

/** @returns undefined for a signal that says nothing */
export function settlementOf({ payload, actor }: Signal): Settlement | undefined {
  const outcome = settledOutcomes.find((known) => known === payload['outcome']);
  if (outcome === undefined) return undefined;
  const text = (member: string) => {
    const value = payload[member];
    return typeof value === 'string' ? value : undefined;
  };
  return { outcome, by: actor.replace(/^user:/, ''), note: text('note'), externalId: text('external_id') };
}
