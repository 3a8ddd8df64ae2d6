/**
 * A scenario: how the simulated model and planes behave. Everything in it has a default, so that a simulation without a
 * file is one on a good day; with the same seed the same work meets the same luck. Every fault of a file is told at once.
 */
import { z } from 'zod';
import { simulatedPlane } from '../fabric/simulated.ts';
import { modelScenario } from './scripted-model.ts';

const plane = z.strictObject(simulatedPlane.shape).partial();

const scenario = z.strictObject({
  $schema: z.string().optional(),
  name: z.string().min(1).max(200).optional(),
  seed: z.string().min(1).max(200).optional(),
  model: modelScenario.prefault({}),
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
