/**
 * A plane that is not there: for tests, drills and the simulation. How long it takes, how often it fails and what it
 * fails with follow from a seed, what is to be done and the how-manieth time it is, so that work with the same seed meets
 * the same luck, whatever else is under way; a script fixes the first calls, and outages are told by the clock.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { canonicalJson } from '../core/json.ts';
import {
  ConnectorError,
  type ConnectorParts,
  type ConnectorResult,
  faults,
  type PlaneConnector,
  type RoutedAction,
} from './connector.ts';
import { connectorKind } from './connector-kind.ts';
import type { PlaneKind } from './plane.ts';

const turn = z.union([z.literal('ok'), z.literal('accepted'), z.enum(faults)]);

/** How a simulated plane behaves. */
export const simulatedPlane = z.strictObject({
  seed: z.string().max(200).default('aos'),
  /** Between these, evenly, in milliseconds. */
  latency_ms: z.tuple([z.int().min(0), z.int().min(0)]).default([5, 40]),
  /** Share of calls that fail, 0 to 1, and with what. */
  error_rate: z.number().min(0).max(1).default(0),
  error: z.enum(faults).default('unavailable'),
  /** What the first calls come to, in their order. */
  script: z.array(turn).max(10_000).default([]),
  /** Down between these, in milliseconds since it was made. */
  outages: z
    .array(z.tuple([z.int().min(0), z.int().min(0)]))
    .max(100)
    .default([]),
  result: z.enum(['completed', 'accepted']).optional(),
  dedupes: z.boolean().default(true),
  /** Whether it can be asked what became of an attempt. */
  tells: z.boolean().default(true),
});
type Settings = z.output<typeof simulatedPlane>;

/** A plane on a good day. */
export const simulatedSettings: Settings = simulatedPlane.parse({});

/** How many keys and actions it remembers. */
const MAX_REMEMBERED = 10_000;

export const simulated = connectorKind({ settings: simulatedPlane, origins: () => [], create: createSimulated });

export function createSimulated(
  given: Settings,
  { clock }: Pick<ConnectorParts, 'clock'>,
  plane: PlaneKind,
): PlaneConnector {
  const began = clock.monotonic();
  const done = new Map<string, ConnectorResult>();
  const seen = new Map<string, number>();
  let calls = 0;
  const usual = given.result ?? (plane === 'event_bus' || plane === 'data_warehouse' ? 'accepted' : 'completed');

  const isOut = () => {
    const at = clock.monotonic() - began;
    return given.outages.some(([from, to]) => at >= from && at < to);
  };
  /** A number from 0 to below 1 that depends on the seed, the action and what it is for. */
  const chance = (work: string, times: number, what: string) =>
    createHash('sha256').update(`${given.seed}\0${plane}\0${work}\0${times}\0${what}`).digest().readUIntBE(0, 6) /
    2 ** 48;

  /** How often this was to be done before. */
  function timesSeen(work: string): number {
    const times = seen.get(work) ?? 0;
    seen.delete(work);
    if (seen.size >= MAX_REMEMBERED) seen.delete(seen.keys().next().value ?? '');
    seen.set(work, times + 1);
    return times;
  }

  /** What the target has done by now; doing a key again gives what it gave, where the target honours keys. */
  function effect(action: RoutedAction, key: string, kind: ConnectorResult['kind']): ConnectorResult {
    const before = given.dedupes ? done.get(key) : undefined;
    if (before !== undefined) return { ...before, deduplicated: true };
    const result: ConnectorResult = {
      kind,
      externalId: `sim-${createHash('sha256').update(`${given.seed}\0${key}`).digest('hex').slice(0, 16)}`,
      data: { simulated: true, target: action.target, action: action.type, entity_id: action.entityId ?? null },
    };
    if (done.size >= MAX_REMEMBERED) done.delete(done.keys().next().value ?? '');
    done.set(key, result);
    return result;
  }

  const outcome: NonNullable<PlaneConnector['outcome']> = async (_action, { idempotencyKey }) =>
    done.get(idempotencyKey) ?? { kind: 'not_done' };

  return {
    plane,
    vendor: 'simulated',
    dedupes: given.dedupes,
    async run(action, { idempotencyKey, deadline, signal }) {
      const call = calls++;
      const { target, type, entityId = null, data } = action;
      const work = createHash('sha256').update(canonicalJson({ target, type, entityId, data })).digest('hex');
      const times = timesSeen(work);
      const [least, most] = given.latency_ms;
      const latency = Math.round(least + chance(work, times, 'latency') * Math.max(0, most - least));
      const left = deadline - clock.now();
      await clock.sleep(Math.max(0, Math.min(latency, left)), signal);
      if (isOut()) {
        throw new ConnectorError('not_sent', 'the simulated plane is down', { vendorCode: 'SIMULATED_OUTAGE' });
      }
      const scripted = given.script[call] ?? (chance(work, times, 'error') < given.error_rate ? given.error : 'ok');
      const turn = latency > left ? 'ambiguous' : scripted;
      if (turn === 'ok' || turn === 'accepted') return effect(action, idempotencyKey, turn === 'ok' ? usual : turn);
      // Nobody knows whether it was done; here it was.
      if (turn === 'ambiguous') effect(action, idempotencyKey, usual);
      throw new ConnectorError(turn, `the simulated plane says ${turn}`, {
        vendorCode: `SIMULATED_${turn.toUpperCase()}`,
      });
    },
    ...(given.tells && { outcome }),
    health: async () => (isOut() ? { status: 'down', detail: 'SIMULATED_OUTAGE' } : { status: 'healthy' }),
    async close() {},
  };
}
