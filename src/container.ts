/**
 * The composition root: the one room that knows every part. Parts are loaded where they are needed, so that the
 * database starts while the rest of the code is still being read, and are stopped in the reverse of the order in which
 * they came up: doors first, the database last.
 */
import type { Config } from './config.ts';
import { describeAccess } from './container/access.ts';
import { createApiApp } from './container/api-door.ts';
import { describeDatabase, startDatabaseServer } from './container/database-server.ts';
import { createContainerEgress, refusalsIn } from './container/egress.ts';
import { loadParts } from './container/loading.ts';
import { createContainerHealth, createOperationTable } from './container/operation-table.ts';
import { createRuntime } from './container/runtime.ts';
import type { Clock } from './core/clock.ts';
import type { JsonObject } from './core/json.ts';
import { destinationOfUrl } from './egress/destination.ts';
import type { ServerAddress } from './host/agent-server.ts';
import type { FetchApp } from './host/endpoints.ts';
import type { FrontPage } from './invocations/front-page.ts';
import type { ActPerformer } from './runs/durable-act.ts';
import type { Database } from './store/database.ts';
import type { HostProcess } from './store/postgres-launch.ts';
import type { Env } from './telemetry/export.ts';
import type { Log, LogSink } from './telemetry/log.ts';

/** Where a server listens that lets in anybody. */
const LOOPBACK = '127.0.0.1';
/** How long clients may still be answered once the server begins to stop; below the host's 30 s. */
const DRAIN_MS = 25_000;

export interface ContainerOptions {
  readonly config: Config;
  /** What the protocol host reads its own settings from. */
  readonly environment: Env;
  readonly process: HostProcess;
  readonly clock: Clock;
  /** Wins over `PORT`; 0 lets the system choose. */
  readonly port?: number;
  readonly logSink?: LogSink;
  /** Called once when the container can no longer work, e.g. because its database died. */
  readonly onFailure?: (failure: Error) => void;
  /** Stands between the parts and the database, for tests that end the process at an exact point. */
  readonly seams?: {
    acts(database: Database): ActPerformer;
  };
}

export interface Container {
  readonly address: ServerAddress;
  readonly log: Log;
  /** What it says on standard output when it takes requests: a page for eyes, or a line. */
  banner(forEyes: boolean): string;
  /**
   * Takes no more requests, lets those under way finish, then lets go of the runs and closes the database. Runs that
   * have not ended go on at the next start.
   */
  stop(): Promise<void>;
}

/**
 * Starts everything; resolves when requests are taken.
 * @throws Error with a sentence for people when the container cannot become ready
 */
export async function startContainer(options: ContainerOptions): Promise<Container> {
  const { config, clock, seams, port, logSink } = options;
  const { simulation: asked } = config;
  const simulation =
    asked === undefined ? undefined : await (await import('./container/simulation.ts')).openSimulation(asked, clock);
  // From a simulation nothing leaves, nor does what is told of it.
  const environment =
    simulation === undefined ? options.environment : { ...options.environment, OTEL_SDK_DISABLED: 'true' };
  await using starting = new AsyncDisposableStack();

  // First of all, so that its process is at work while the rest of the code is read and compiled.
  const { startEmbeddedPostgres } = await import('./store/embedded-postgres.ts');
  const { AgentServer } = await import('./host/agent-server.ts');
  // Both documents are made when they are first asked for: describing every operation takes longer than opening the database.
  let describe = { openapi: (): JsonObject => ({}), asyncapi: (): JsonObject => ({}) };
  let app: FetchApp | undefined;
  const server = new AgentServer({
    openapi: () => describe.openapi(),
    asyncapi: () => describe.asyncapi(),
    app: { fetch: (request) => app?.fetch(request) ?? new Response(null, { status: 503 }) },
    environment,
    clock,
    signals: false,
    ...(config.runtime.listenEverywhere ? {} : { hostname: LOOPBACK }),
    ...(simulation === undefined ? {} : { readiness: { simulation: true } }),
    ...(port === undefined ? {} : { port }),
    ...(logSink === undefined ? {} : { logSink }),
  });
  const { log } = server;

  const databaseServer = startDatabaseServer(startEmbeddedPostgres, options, log);
  starting.defer(async () => (await databaseServer.catch(() => undefined))?.stop());
  const loading = loadParts().then((loaded) => {
    describe = { openapi: loaded.describeOpenApi, asyncapi: loaded.describeAsyncApi };
    return loaded;
  });
  const [{ url, pid }, parts] = await Promise.all([databaseServer, loading]);
  const authenticator = await parts.createAuthenticator(config.runtime.identity, {
    localOnly: !config.runtime.listenEverywhere,
    clock,
    onWarning: (sentence) => log.warn(sentence),
  });
  let noteRefusal = (_destination: string): void => {};
  const egress = createContainerEgress({
    config,
    environment,
    databaseUrl: url,
    clock,
    log,
    onRefused: (destination) => noteRefusal(destination),
  });
  // From here on nothing leaves but what is configured; until then nothing of ours has asked for a connection.
  egress.start();
  starting.defer(() => egress.stop());
  const database = await parts.openDatabase({ url, clock, log, rowSecurity: config.runtime.rowSecurity });
  starting.defer(() => database.close());
  await parts.claimDatabaseMode(database, simulation === undefined ? 'live' : 'simulation');
  const perform = seams?.acts(database);
  const runtime = await createRuntime({
    parts,
    config,
    environment,
    clock,
    log,
    database,
    health: () => health,
    simulation,
    ...(perform === undefined ? {} : { perform }),
  });
  noteRefusal = refusalsIn(runtime.audit, database, log);
  const { model } = runtime;
  if (model.server !== undefined) egress.allow({ part: 'model', host: model.server.address, port: model.server.port });
  const table = { parts, runtime, database, clock, log };
  const health = createContainerHealth(table);
  const operations = createOperationTable(table, health);
  for (const service of runtime.services) {
    await service.start();
    starting.defer(() => service.stop());
  }
  const { gate, runs, events, catalogue, rates, socketRoom: room } = runtime;

  const { audit } = runtime;
  const onRefused = parts.createRefusalNotices(clock, parts.createRefusalLedger({ audit, db: database.db, log }));
  const entrance = parts.createEntrance({ authenticator, onRefused });
  const stopping = new AbortController();
  server.onBeforeShutdown(() => stopping.abort());
  const envelope = parts.createEnvelope(operations, entrance);
  const doorParts = { entrance, gate, runs, events, envelope, rates, room, clock, drainMs: DRAIN_MS };
  const door = parts.createInvocationDoor(doorParts);
  server.onInvoke(door.invoke);
  server.onGetInvocation(door.get);
  server.onCancelInvocation(door.cancel);
  server.onWebSocket(parts.createSocketDoor(doorParts));
  const agents = catalogue.shipped.enabled.map((agent) => ({ id: agent.agent_id, title: parts.titleOf(agent) }));
  const page: FrontPage = {
    ...(simulation === undefined ? {} : { simulation: `scenario ${simulation.scenario}, seed ${simulation.seed}` }),
    model: `${model.name} (${model.provider})`,
    simulated: model.simulated,
    agents,
  };
  const front = parts.createFrontRoutes(page, parts.describeOpenApi);
  const api = createApiApp({
    parts,
    entrance,
    runtime,
    operations,
    database,
    egress,
    clock,
    log,
    stopping: stopping.signal,
    front,
  });
  starting.defer(() => api.stop());
  app = api;
  starting.defer(() => server.close());
  const address = await server.listen();
  egress.allow(destinationOfUrl('self', address.url));
  // Said as people write it.
  const base = address.url.replace(`//${LOOPBACK}:`, '//localhost:');

  const running = starting.move();
  const data = pid === undefined ? describeDatabase(url) : `${config.dataDir} (embedded PostgreSQL, process ${pid})`;
  return {
    address,
    log,
    banner: (forEyes) => parts.viewBanner(page, { base, data, access: describeAccess(config.runtime), forEyes }),
    stop: () => running.disposeAsync(),
  };
}
