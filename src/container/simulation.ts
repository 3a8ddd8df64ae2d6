/** What takes the place of the outside in a simulation: scenario, model and planes. Everything else is as ever. */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { type Model, quickPace } from '../agents/model.ts';
import { createSimulatedModel } from '../agents/simulated-model.ts';
import type { SimulationConfig } from '../config/simulation.ts';
import type { Clock } from '../core/clock.ts';
import { asError } from '../core/errors.ts';
import type { FabricConfig } from '../fabric/fabric-file.ts';
import type { SimulationState } from '../operations/simulation.ts';
import { quietScenario, readScenario } from '../simulation/scenario.ts';
import { createScriptedModel } from '../simulation/scripted-model.ts';
import { simulatedFabric } from '../simulation/simulated-fabric.ts';

export interface Simulation extends SimulationState {
  readonly model: Model;
  /** @param file the operator's planes; undefined when there is no file */
  planes(file: FabricConfig | undefined): FabricConfig;
}

const DEFAULT_SEED = 'aos';

/** @throws Error with a line for every fault of the scenario */
export async function openSimulation({ file, seed: given }: SimulationConfig, clock: Clock): Promise<Simulation> {
  const scenario = file === undefined ? quietScenario : readScenario(await textOf(file));
  const seed = given ?? scenario.seed ?? DEFAULT_SEED;
  const model = createSimulatedModel(quickPace, clock);
  return {
    scenario: scenario.name ?? (file === undefined ? 'quiet' : basename(file)),
    seed,
    model: createScriptedModel({ model, scenario: scenario.model, seed, clock }),
    planes: (planes) => simulatedFabric(planes, scenario, seed),
  };
}

async function textOf(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((thrown: unknown) => {
    const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : asError(thrown).name;
    throw new Error(`AOS_SIMULATION_FILE must name a file that can be read, but ${file} cannot (${code})`);
  });
}
