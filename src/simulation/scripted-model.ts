/**
 * The simulated model with the bad days of a scenario: it takes its time, is busy, breaks off and is away as the scenario
 * says. What happens to a call follows from the seed and from what is asked, the how-manieth time it is asked, so the same
 * work meets the same luck whatever else is under way; the script counts calls, and outages are told by the clock.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Model, ModelPart, ModelRequest } from '../agents/model.ts';
import type { Clock } from '../core/clock.ts';
import { AosError, type Retry } from '../core/errors.ts';

/** `busy` and `unreachable` may pass, `broken_off` fails in the middle of an answer, `refused` is for good. */
export const modelFaults = ['busy', 'unreachable', 'broken_off', 'refused'] as const;
export type ModelFault = (typeof modelFaults)[number];

const window = z
  .tuple([z.int().min(0), z.int().min(0)])
  .refine(([from, to]) => from < to, { error: 'an outage begins before it ends' });

/** How the model behaves; a good day when nothing is said. */
export const modelScenario = z.strictObject({
  /** Before the first word, evenly between these, in milliseconds. */
  latency_ms: z
    .tuple([z.int().min(0), z.int().min(0)])
    .refine(([least, most]) => least <= most, { error: 'the first is at most the second' })
    .default([0, 0]),
  /** Between two pieces of text. */
  token_ms: z.int().min(0).max(60_000).default(0),
  /** Share of calls that fail, 0 to 1, and how. */
  error_rate: z.number().min(0).max(1).default(0),
  error: z.enum(modelFaults).default('busy'),
  /** What the first calls of the process come to, in their order. */
  script: z
    .array(z.enum(['ok', ...modelFaults]))
    .max(10_000)
    .default([]),
  /** Not to be reached between these, in milliseconds since the start. */
  outages: z.array(window).max(100).default([]),
});
export type ModelScenario = z.output<typeof modelScenario>;

const meaning: Readonly<Record<ModelFault, { readonly retry: Retry; readonly says: string }>> = {
  busy: { retry: 'later', says: 'is busy' },
  unreachable: { retry: 'later', says: 'cannot be reached' },
  broken_off: { retry: 'later', says: 'broke off in the middle of an answer' },
  refused: { retry: 'never', says: 'refused the request' },
};

/** Briefs that are remembered, so that the second time is another one. */
const MAX_REMEMBERED = 10_000;
/** Pieces of text that come before an answer breaks off. */
const PIECES_BEFORE_BREAK = 2;

export interface ScriptedModelParts {
  /** Answers where nothing happens. */
  readonly model: Model;
  readonly scenario: ModelScenario;
  readonly seed: string;
  readonly clock: Clock;
}

export function createScriptedModel({ model, scenario, seed, clock }: ScriptedModelParts): Model {
  const began = clock.monotonic();
  const asked = new Map<string, number>();
  let calls = 0;

  /** How often this was asked before. */
  function timesAsked(key: string): number {
    const times = asked.get(key) ?? 0;
    asked.delete(key);
    if (asked.size >= MAX_REMEMBERED) asked.delete(asked.keys().next().value ?? '');
    asked.set(key, times + 1);
    return times;
  }

  function isOut(): boolean {
    const at = clock.monotonic() - began;
    return scenario.outages.some(([from, to]) => at >= from && at < to);
  }

  return {
    ...model,
    async *stream(request, signal) {
      const key = keyOf(request);
      const times = timesAsked(key);
      const call = calls++;
      const chance = (what: string) => luck(seed, key, times, what);
      const [least, most] = scenario.latency_ms;
      const latency = Math.round(least + chance('latency') * (most - least));
      if (latency > 0) await clock.sleep(latency, signal);
      signal.throwIfAborted();
      const drawn = chance('error') < scenario.error_rate ? scenario.error : 'ok';
      const turn = isOut() ? 'unreachable' : (scenario.script[call] ?? drawn);
      if (turn !== 'ok' && turn !== 'broken_off') throw failure(turn);
      let pieces = 0;
      for await (const part of model.stream(request, signal)) {
        const isText = part.type === 'text';
        if (turn === 'broken_off' && (!isText || pieces >= PIECES_BEFORE_BREAK)) throw failure(turn);
        if (isText && pieces++ > 0 && scenario.token_ms > 0) await clock.sleep(scenario.token_ms, signal);
        yield part satisfies ModelPart;
      }
    },
  };
}

function failure(fault: ModelFault): AosError {
  const { retry, says } = meaning[fault];
  return new AosError('model_failed', `the simulated model ${says}, as its scenario says`, { retry });
}

/** What is asked, without what differs from run to run. */
function keyOf({ brief, prompt, exchanges = [] }: ModelRequest): string {
  const words = [brief.agent.agent_id, ...prompt.messages.map(({ content }) => content), String(exchanges.length)];
  return createHash('sha256').update(JSON.stringify(words)).digest('hex');
}

/** A number from 0 to below 1. */
function luck(seed: string, key: string, times: number, what: string): number {
  return createHash('sha256').update(`${seed}\0${key}\0${times}\0${what}`).digest().readUIntBE(0, 6) / 2 ** 48;
}
