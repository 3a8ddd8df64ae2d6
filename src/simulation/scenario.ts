/**
 * A scenario: how the simulated model and planes behave. Everything in it has a default, so that a simulation without a
 * file is one on a good day; with the same seed the same work meets the same luck. Every fault of a file is told at once.
 */
import { z } from 'zod';
import { simulatedPlane } from '../fabric/simulated.ts';
import { modelFaults } from './scripted-model.ts';

const window = z
  .tuple([z.int().min(0), z.int().min(0)])
  .refine(([from, to]) => from < to, { error: 'an outage begins before it ends' });

const model = z.strictObject({
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
export type ModelScenario = z.output<typeof model>;

const plane = z.strictObject(simulatedPlane.shape).partial();

const scenario = z.strictObject({
  $schema: z.string().optional(),
  name: z.string().min(1).max(200).optional(),
  seed: z.string().min(1).max(200).optional(),
  model: model.prefault({}),
  /** By name, `*` for those that are not named. */
  planes: z.record(z.string(), plane).default({}),
});
export type Scenario = z.output<typeof scenario>;
export type PlaneScenario = z.output<typeof plane>;

export const quietScenario: Scenario = scenario.parse({});

/** @throws Error with a line for every fault */
export function readScenario(text: string): Scenario {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    throw new Error('the scenario has faults:\n  - it is not JSON');
  }
  const parsed = scenario.safeParse(data);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'the file'}: ${message}`);
  throw new Error(['the scenario has faults:', ...faults].join('\n  - '));
}
