/** Which planes there are: the operator's fabric file, or in development a simulated system behind the direct plane. */
import { readFile } from 'node:fs/promises';
import type { RuntimeConfig } from '../config.ts';
import { asError } from '../core/errors.ts';
import type { Fabric } from '../fabric/fabric.ts';
import {
  developmentFabric,
  emptyFabric,
  type FabricConfig,
  FabricFileError,
  readFabricFile,
} from '../fabric/fabric-file.ts';
import type { Simulation } from './simulation.ts';

/**
 * @param simulation puts simulators in the place of the planes
 * @throws Error with a line for every fault of the file
 */
export async function loadFabricConfig(
  { fabricFile: file, environment }: Pick<RuntimeConfig, 'fabricFile' | 'environment'>,
  simulation?: Pick<Simulation, 'planes'>,
): Promise<FabricConfig> {
  if (file === undefined) {
    return simulation?.planes(undefined) ?? (environment === 'development' ? developmentFabric : emptyFabric);
  }
  const text = await readFile(file, 'utf8').catch((thrown: unknown) => {
    const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : asError(thrown).name;
    throw new Error(`AOS_FABRIC_FILE must name a file that can be read, but ${file} cannot (${code})`);
  });
  try {
    const planes = readFabricFile(text);
    return simulation?.planes(planes) ?? planes;
  } catch (thrown) {
    throw explained(thrown);
  }
}

/** @throws Error with a line for every fault in the settings of vendors */
export async function openingFabric(opening: Promise<Fabric>): Promise<Fabric> {
  try {
    return await opening;
  } catch (thrown) {
    throw explained(thrown);
  }
}

function explained(thrown: unknown): unknown {
  if (!(thrown instanceof FabricFileError)) return thrown;
  return new Error(['the fabric file has faults:', ...thrown.faults].join('\n  - '));
}
