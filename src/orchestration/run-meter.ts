/**
 * The meter of a run: counts what it spends against its limits and watches for loops. Where a limit is used up the run
 * says so (`run.limit_reached`) and waits for somebody to let it go on or stop it; all branches wait for the same
 * answer. What was counted is not stored: a resumed run counts again as its steps give back what they gave.
 */
import type { Meter } from '../agents/meter.ts';
import { type Clock, isoTime } from '../core/clock.ts';
import { AosError } from '../core/errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../core/json.ts';
import type { RunScope } from '../engine/engine.ts';
import {
  type Limits,
  limitKeys,
  nothingSpent,
  raised,
  type Spent,
  type SpentName,
  type Trip,
  usedUp,
  withUsage,
} from './limits.ts';
import type { LoopGuard } from './loop-guard.ts';

/** How long a run waits at a limit before it fails. */
const PATIENCE_MS = 7 * 24 * 3600 * 1000;

export interface RunMeter extends Meter {
  /** Before a turn. Resolves when it may be taken. */
  begin(turn: string): Promise<void>;
  /** The meter as one turn sees it: its tool calls are told apart from other turns'. */
  ofTurn(turn: string): Meter;
  /** After a turn of open-ended work: whether the words close a loop. */
  said(agentId: string, text: string): Promise<void>;
  /** After a handover: whether it closes a loop. */
  handedOver(from: string, to: string): Promise<void>;
  /** What a checkpoint has to keep. */
  state(): JsonObject;
}

export interface RunMeterParts {
  readonly scope: Pick<RunScope, 'step' | 'wait'>;
  readonly clock: Clock;
  readonly limits: Limits;
  /** Not watched when undefined. */
  readonly guard: LoopGuard | undefined;
  /** As `state` gave it before a checkpoint; whoever makes one keeps it as the member `meter`. */
  readonly restored?: JsonValue | undefined;
}

/** Before the next model call; turns and tool calls are checked where they begin. */
const CONTINUOUS: readonly SpentName[] = ['tokens', 'cost_usd'];

export function createRunMeter({ scope, clock, limits: first, guard, restored }: RunMeterParts): RunMeter {
  const earlier = stateOf(restored);
  const turns = new Set<string>();
  let limits: Limits = { ...first, ...earlier.limits };
  let spent: Spent = { ...nothingSpent, ...earlier.spent };
  let trips = earlier.trips;
  let pausing: Promise<void> | undefined;

  /** Waits at a limit, once for all who come to it; afterwards each looks again. */
  function pause(trip: Trip, what?: string): Promise<void> {
    pausing ??= askToGoOn(trip, what).finally(() => {
      pausing = undefined;
    });
    return pausing;
  }

  async function askToGoOn(trip: Trip, what: string | undefined): Promise<void> {
    trips += 1;
    const name = `limit/${trips}`;
    // Stored, so that a resumed run is asked about the same limit whichever branch comes to it first this time.
    const reached = await scope.step(
      `${name}/reached`,
      async () => ({ ...trip, ...(what === undefined ? {} : { what }), until: isoTime(clock.now() + PATIENCE_MS) }),
      { event: (value) => ({ key: `${name}/reached`, type: 'run.limit_reached', data: { wait: name, ...value } }) },
    );
    const { until, ...detail } = reached;
    const signal = await scope.wait({ name, reason: 'limit', until, detail });
    const decision = signal?.payload['decision'] ?? 'stop';
    if (decision === 'stop') throw exceeded(reached, signal === undefined);
    // A word nobody knows is no permission.
    if (decision !== 'continue') return askToGoOn(trip, what);
    const raise = signal?.payload['raise'];
    limits = raised(limits, reached, isJsonObject(raise) ? raise : {}, first);
    guard?.forget();
  }

  async function pass(among: readonly SpentName[]): Promise<void> {
    for (;;) {
      if (pausing !== undefined) await pausing;
      const trip = usedUp(spent, limits, among);
      if (trip === undefined) return;
      await pause(trip);
    }
  }

  async function toolCall(turn: string, name: string, args: JsonObject): Promise<void> {
    await pass(['tool_calls', ...CONTINUOUS]);
    spent = { ...spent, tool_calls: spent.tool_calls + 1 };
    const loop = guard?.called(turn, name, args);
    if (loop !== undefined) await pause({ limit: 'loop', used: loop.used, max: loop.max }, loop.what);
  }

  const meter: RunMeter = {
    async begin(turn) {
      if (turns.has(turn)) return;
      await pass(['turns', ...CONTINUOUS]);
      turns.add(turn);
      spent = { ...spent, turns: spent.turns + 1 };
    },
    check: () => pass(CONTINUOUS),
    async spend(_turn, usage) {
      spent = withUsage(spent, usage);
    },
    toolCall: (name, args) => toolCall('', name, args),
    ofTurn: (turn) => ({ ...meter, toolCall: (name, args) => toolCall(turn, name, args) }),
    async said(agentId, text) {
      const loop = guard?.said(agentId, text);
      if (loop !== undefined) await pause({ limit: 'loop', used: loop.used, max: loop.max }, loop.what);
    },
    async handedOver(from, to) {
      const loop = guard?.handedOver(from, to);
      if (loop !== undefined) await pause({ limit: 'loop', used: loop.used, max: loop.max }, loop.what);
    },
    state: () => ({
      spent: { ...spent },
      // Infinity has no JSON; what is unlimited stays so.
      limits: Object.fromEntries(Object.entries(limits).filter(([, max]) => Number.isFinite(max))),
      trips,
    }),
  };
  return meter;
}

function stateOf(restored: JsonValue | undefined): { spent: Partial<Spent>; limits: Partial<Limits>; trips: number } {
  const state = isJsonObject(restored) ? restored : {};
  const part = (name: string) => (isJsonObject(state[name]) ? state[name] : {});
  const { trips } = state;
  return { spent: part('spent'), limits: part('limits'), trips: typeof trips === 'number' ? trips : 0 };
}

function exceeded(trip: Trip & { readonly what?: string }, unanswered: boolean): AosError {
  const reached =
    trip.limit === 'loop'
      ? `the run went in circles (${trip.what ?? 'the same again and again'})`
      : `the run used ${trip.used} of ${trip.max} ${trip.limit} (config.${limitKeys[trip.limit]})`;
  return new AosError(
    'limit_exceeded',
    `${reached} and ${unanswered ? 'nobody let it go on in time' : 'was told to stop there'}`,
    { facts: { limit: trip.limit, used: trip.used, max: trip.max } },
  );
}
