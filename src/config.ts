/**
 * The configuration of the container, read once from the environment: a schema for each variable, then the rules
 * between them. Every fault is reported at once, in words a person can act on. The variables lie by subject in
 * `config/`, each with its default and its reading; here they are put together.
 *
 * The protocol host reads its own variables (`PORT`, `AOS_LOG_LEVEL`, `FOUNDRY_AGENT_*`, `SSE_…`, `OTEL_…`) by itself.
 */
import { join } from 'node:path';
import { z } from 'zod';
import type { ModelConfig } from './agents/model.ts';
import { type AgentsConfig, agentsDefaults, agentsVariables, readAgents, readRegistryPath } from './config/agents.ts';
import { type DelegationConfig, delegationDefaults, delegationVariables, readDelegation } from './config/delegation.ts';
import {
  type CallbackConfig,
  callbackDefaults,
  type EgressConfig,
  egressDefaults,
  egressVariables,
  readCallbacks,
  readEgress,
} from './config/egress.ts';
import { type FabricConfig, fabricDefaults, fabricVariables, readFabric } from './config/fabric.ts';
import { governanceVariables, type OversightConfig, oversightDefaults, readOversight } from './config/governance.ts';
import { type EntranceConfig, entranceDefaults, identityVariables, readEntrance } from './config/identity.ts';
import {
  leavesModelOpen,
  modelVariables,
  type PricesConfig,
  pricesDefaults,
  readModel,
  readPrices,
} from './config/model.ts';
import { type PlaceConfig, placeDefaults, placeVariables, readPlace } from './config/place.ts';
import { type RunsConfig, readRuns, runsDefaults, runsVariables } from './config/runs.ts';
import { readSimulation, type SimulationConfig, simulationVariables } from './config/simulation.ts';
import { readDataDir, readStorage, type StorageConfig, storageDefaults, storageVariables } from './config/storage.ts';
import { readTasks, type TasksConfig, tasksDefaults, tasksVariables } from './config/tasks.ts';
import { readCaptureContent, telemetryVariables } from './config/telemetry.ts';
import type { Fault, Variables } from './config/value.ts';
import { type Env, setting } from './telemetry/export.ts';

export interface Config {
  /** Where the container keeps what must survive it. */
  readonly dataDir: string;
  /** A PostgreSQL of the operator's; undefined: the embedded one inside `dataDir`. */
  readonly databaseUrl: string | undefined;
  /** A registry file of the operator's; undefined: the agents that ship with the package. */
  readonly registryPath: string | undefined;
  readonly model: ModelConfig;
  /** Whether spans hold what people and models wrote. */
  readonly captureContent: boolean;
  readonly runtime: RuntimeConfig;
  /** Set where everything outside is simulated; `dataDir` is one of its own then. */
  readonly simulation?: SimulationConfig | undefined;
}

/** How the runtime behind the doors works. */
export interface RuntimeConfig
  extends PlaceConfig,
    StorageConfig,
    AgentsConfig,
    PricesConfig,
    RunsConfig,
    TasksConfig,
    FabricConfig,
    CallbackConfig,
    OversightConfig,
    EntranceConfig {
  readonly egress: EgressConfig;
  readonly delegation: DelegationConfig;
}

export const runtimeDefaults: RuntimeConfig = Object.freeze({
  ...placeDefaults,
  ...storageDefaults,
  ...agentsDefaults,
  ...pricesDefaults,
  ...runsDefaults,
  ...tasksDefaults,
  ...fabricDefaults,
  ...callbackDefaults,
  ...oversightDefaults,
  ...entranceDefaults,
  egress: egressDefaults,
  delegation: delegationDefaults,
});

/** The environment cannot be used; the message has a line for every fault. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(faults.join('\n'));
    this.faults = faults;
  }
}

/** Every variable the container reads, each with what it may be. Blank and unset are the same. */
const allVariables = {
  ...storageVariables,
  ...agentsVariables,
  ...modelVariables,
  ...telemetryVariables,
  ...runsVariables,
  ...tasksVariables,
  ...fabricVariables,
  ...simulationVariables,
  ...egressVariables,
  ...placeVariables,
  ...delegationVariables,
  ...identityVariables,
  ...governanceVariables,
};
type AllVariables = Variables<typeof allVariables>;

/**
 * Reads the configuration.
 * @param env the process's environment
 * @param workingDirectory what relative paths are relative to
 * @throws ConfigError naming every fault: which variable, what was expected, what came (secrets masked)
 */
export function readConfig(env: Env, workingDirectory: string): Config {
  const faults: string[] = [];
  const fault = (message: string): undefined => {
    faults.push(message);
    return undefined;
  };
  const variables = readVariables(env, fault);
  // A faulty model variable was left out above: what the others amount to without it would be a second, false fault.
  const modelIsClear = !faults.some(leavesModelOpen);
  const simulation = readSimulation(variables, workingDirectory, fault);
  const ownDir = readDataDir(variables, workingDirectory, fault);
  const dataDir = ownDir === undefined || simulation === undefined ? ownDir : join(ownDir, 'simulation');
  const model = modelIsClear ? readModel(variables, fault) : undefined;
  const runtime = readRuntime(variables, workingDirectory, fault);
  if (dataDir === undefined || model === undefined || faults.length > 0) throw new ConfigError(faults);
  return Object.freeze({
    dataDir,
    databaseUrl: variables.AOS_DATABASE_URL,
    registryPath: readRegistryPath(variables, workingDirectory),
    model: Object.freeze(model),
    captureContent: readCaptureContent(variables),
    runtime,
    simulation,
  });
}

function readRuntime(variables: AllVariables, workingDirectory: string, fault: Fault): RuntimeConfig {
  return Object.freeze({
    ...readPlace(variables),
    ...readStorage(variables),
    ...readAgents(variables),
    ...readPrices(variables, workingDirectory),
    ...readRuns(variables),
    ...readEntrance(variables, workingDirectory, fault),
    ...readTasks(variables, fault),
    ...readFabric(variables),
    ...readCallbacks(variables),
    ...readOversight(variables, workingDirectory),
    egress: readEgress(variables),
    delegation: readDelegation(variables),
  });
}

/** Checks each variable by itself; faulty ones are left out of what is returned. */
function readVariables(env: Env, fault: Fault): AllVariables {
  const schema = z.object(allVariables);
  const given = Object.fromEntries(Object.keys(allVariables).map((name) => [name, setting(env, name)]));
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  for (const issue of parsed.error.issues) {
    const name = String(issue.path[0]);
    fault(`${name} must be ${issue.message}, but it is ${masked(name, given[name] ?? '')}`);
    delete given[name];
  }
  return schema.parse(given);
}

/** The value as it may be shown: keys never, passwords in addresses neither. */
function masked(name: string, value: string): string {
  if (/KEY|SECRET|TOKEN$|PASSWORD/.test(name)) return '(hidden)';
  return JSON.stringify(value.replace(/(:\/\/[^\s:/@]*:)[^\s@]*@/, '$1***@'));
}
