/** Whether everything outside is simulated, and with what. The pace of the simulated model is in `model.ts`. */
import type { EgressVariables } from './egress.ts';
import { type Fault, oneOf, pathFrom, text, type Variables } from './value.ts';

const modes = ['live', 'simulation'] as const;

export const simulationVariables = {
  AOS_MODE: oneOf(modes).optional(),
  AOS_SIMULATION_SEED: text.max(200, { error: 'at most 200 characters' }).optional(),
  AOS_SIMULATION_FILE: text.optional(),
};
export type SimulationVariables = Variables<typeof simulationVariables>;

/** What a simulation is made with. */
export interface SimulationConfig {
  /** Wins over that of the scenario. */
  readonly seed: string | undefined;
  /** A scenario of the operator's; undefined: a good day. */
  readonly file: string | undefined;
}

/** @returns undefined where the world outside is the real one */
export function readSimulation(
  variables: SimulationVariables & EgressVariables,
  workingDirectory: string,
  fault: Fault,
): SimulationConfig | undefined {
  const { AOS_MODE: mode, AOS_SIMULATION_FILE: file, AOS_SIMULATION_SEED: seed, AOS_EGRESS: egress } = variables;
  if (mode !== 'simulation') {
    if (file !== undefined || seed !== undefined) {
      fault('AOS_SIMULATION_FILE and AOS_SIMULATION_SEED belong to AOS_MODE=simulation: set that, or unset them');
    }
    return undefined;
  }
  if (egress === 'observe' || egress === 'off') {
    fault(`AOS_EGRESS must not be ${egress} with AOS_MODE=simulation, from which nothing leaves: unset it`);
  }
  return Object.freeze({ seed, file: pathFrom(workingDirectory, file) });
}
