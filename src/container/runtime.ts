/**
 * The runtime behind the doors: what stores, executes and answers. Parts that work on their own are started here, from
 * the bottom up, and are stopped in the reverse order.
 */
import type { Config } from '../config.ts';
import type { Clock } from '../core/clock.ts';
import { newHexId } from '../core/ids.ts';
import { HOST_VERSION } from '../host/server-identity.ts';
import type { ActPerformer } from '../runs/durable-act.ts';
import type { Database } from '../store/database.ts';
import type { Log } from '../telemetry/log.ts';
import type { Parts } from './loading.ts';

export interface RuntimeOptions {
  readonly parts: Parts;
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
  readonly database: Database;
  /** Stops what was started, last first. */
  readonly starting: AsyncDisposableStack;
  readonly perform?: ActPerformer;
}

/** Where callbacks may go besides, when the operator says so: this machine and networks that are not public. */
const PRIVATE_ADDRESSES = [
  '127.0.0.0/8',
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '169.254.0.0/16',
  '::1/128',
  'fc00::/7',
  'fe80::/10',
];

export type Runtime = Awaited<ReturnType<typeof startRuntime>>;

export async function startRuntime(options: RuntimeOptions) {
  const { parts, config, clock, log, database, starting, perform } = options;
  const { db, notifications } = database;
  const { allowUnregisteredAgents, maxRuns } = config.runtime;
  const acts = perform === undefined ? {} : { perform };

  const records = parts.createRecordStore({ db, clock });
  const shipped = await parts.loadCatalogue(config.registryPath);
  const catalogue = parts.createAgentRegister({ shipped, records, notifications });
  await catalogue.start();
  const model = parts.createModel(config.model, { clock });
  const { simulated } = model;

  const events = parts.createEventLog({ database, clock, ...acts });
  const runs = parts.createRunStore({ database, events, clock, ...acts });
  const memory = parts.createSessionMemory({ db, clock });
  const definitions = parts.createDefinitionStore({ database, clock });
  const { captureContent } = config;
  const program = parts.createRunProgram({ catalogue, model, memory, definitions, events, clock, captureContent, log });
  const engine = parts.createEngine({ database, runs, events, program, clock, log, maxRuns, ...acts });
  await engine.start();
  starting.defer(() => engine.stop());

  const gate = parts.createGate({
    catalogue,
    runs,
    engine,
    events,
    definitions,
    clock,
    simulated,
    allowUnregisteredAgents,
  });
  const outbox = parts.createOutbox({ database, clock });
  const { callbackSecret, allowPrivateCallbacks } = config.runtime;
  const fetch = parts.createGuardedFetch(allowPrivateCallbacks ? { clock, allow: PRIVATE_ADDRESSES } : { clock });
  const deliveries = parts.createDeliveries({ database, fetch, secret: callbackSecret, clock, log });
  await deliveries.start();
  starting.defer(() => deliveries.stop());
  const partialResults = parts.createPartialResults(events);
  const callbacks = parts.createCallbacks({ database, outbox, runs, events, partialResults, clock, log });
  callbacks.start();
  starting.defer(() => callbacks.stop());

  const operations = parts.createOperations({
    gate,
    runs,
    events,
    engine,
    records,
    clock,
    db,
    agents: catalogue,
    pulse: parts.createRunPulse({ db }),
    callbacks,
    partialResults,
    mcpServers: [],
    version: HOST_VERSION,
    runtimeId: `aoa-runtime-${newHexId(4)}`,
    checks: {
      engine: async () => {
        const { executing, queued, oldestWaitMs } = engine.backlog();
        return { status: 'healthy', executing, queued, oldest_wait_ms: Math.round(oldestWaitMs) };
      },
      model: async () => ({ status: 'healthy', model: model.name, provider: model.provider, simulated }),
    },
    onFailure: (part, failure) => log.warn('a part could not be asked how it is', { part, error: failure }),
  });
  return { catalogue, model, events, runs, engine, gate, operations };
}
