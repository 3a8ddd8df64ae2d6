/**
 * The composition root: the one file that knows every part. Parts are loaded where they are needed, so that the
 * database starts while the rest of the code is still being read, and are stopped in the reverse of the order in which
 * they came up.
 */
import type { Config } from './config.ts';
import type { Clock } from './core/clock.ts';
import { asError } from './core/errors.ts';
import type { ServerAddress } from './host/agent-server.ts';
import type { FetchApp } from './host/endpoints.ts';
import type { FrontPage } from './invocations/front-page.ts';
import type { EventLog } from './runs/event-log.ts';
import type { Database } from './store/database.ts';
import type { HostProcess } from './store/postgres-launch.ts';
import type { Env } from './telemetry/export.ts';
import type { Log, LogSink } from './telemetry/log.ts';

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
  /** Stands between the parts and the log, for tests that end the process at an exact point. */
  readonly seams?: {
    events(log: EventLog, database: Database): EventLog;
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
  const { config, environment, clock, seams, port, logSink } = options;
  await using starting = new AsyncDisposableStack();

  // First of all, so that its process is at work while the rest of the code is read and compiled.
  const { startEmbeddedPostgres } = await import('./store/embedded-postgres.ts');
  const { AgentServer } = await import('./host/agent-server.ts');
  const { describeOpenApi } = await import('./invocations/openapi.ts');
  const { describeAsyncApi } = await import('./invocations/asyncapi.ts');
  const openapi = describeOpenApi();
  let app: FetchApp | undefined;
  const server = new AgentServer({
    openapi,
    asyncapi: describeAsyncApi(),
    app: { fetch: (request) => app?.fetch(request) ?? new Response(null, { status: 503 }) },
    environment,
    clock,
    signals: false,
    ...(port === undefined ? {} : { port }),
    ...(logSink === undefined ? {} : { logSink }),
  });
  const { log } = server;

  const databaseServer = startDatabaseServer(startEmbeddedPostgres, options, log);
  starting.defer(async () => (await databaseServer.catch(() => undefined))?.stop());
  // The database starts while this reads and compiles the greater part of the code.
  const [{ url, pid }, parts] = await Promise.all([databaseServer, loadParts()]);
  const catalogue = await parts.loadCatalogue(config.registryPath);
  const model = parts.createModel(config.model, { clock });
  const database = await parts.openDatabase({ url, clock, log });
  starting.defer(() => database.close());
  const eventLog = parts.createEventLog({ database, clock });
  const events = seams?.events(eventLog, database) ?? eventLog;
  const runs = parts.createRunStore({ database, events, clock });
  const memory = parts.createSessionMemory({ db: database.db, clock });
  const { captureContent } = config;
  const program = parts.createRunProgram({ catalogue, model, memory, clock, captureContent });
  const engine = parts.createEngine({ database, runs, events, program, clock, log });
  await engine.start();
  starting.defer(() => engine.stop());

  const { simulated } = model;
  const gate = parts.createGate({ catalogue, runs, engine, clock, simulated });
  const envelope = parts.createEnvelope([]);
  const doorParts = { gate, runs, events, engine, envelope, clock, drainMs: DRAIN_MS };
  const door = parts.createInvocationDoor(doorParts);
  server.onInvoke(door.invoke);
  server.onGetInvocation(door.get);
  server.onCancelInvocation(door.cancel);
  server.onWebSocket(parts.createSocketDoor(doorParts));
  const agents = catalogue.enabled.map((agent) => ({ id: agent.agent_id, title: parts.titleOf(agent) }));
  const front: FrontPage = { model: `${model.name} (${model.provider})`, simulated, agents };
  app = parts.createFrontRoutes(front, openapi);
  starting.defer(() => server.close());
  const address = await server.listen();

  const running = starting.move();
  const data = pid === undefined ? describeDatabase(url) : `${config.dataDir} (embedded PostgreSQL, process ${pid})`;
  return {
    address,
    log,
    banner: (forEyes) => parts.viewBanner(front, { base: address.url, data, forEyes }),
    stop: () => running.disposeAsync(),
  };
}

/** Where a database is, without user and password. */
function describeDatabase(url: string): string {
  const { host, pathname, searchParams } = new URL(url);
  return `PostgreSQL at ${searchParams.get('host') ?? host}${pathname}`;
}

type StartEmbeddedPostgres = typeof import('./store/embedded-postgres.ts').startEmbeddedPostgres;

interface DatabaseServer {
  readonly url: string;
  readonly pid: number | undefined;
  stop(): Promise<void>;
}

/** The operator's database as it is, or the embedded one, started. */
async function startDatabaseServer(
  startEmbeddedPostgres: StartEmbeddedPostgres,
  options: ContainerOptions,
  log: Log,
): Promise<DatabaseServer> {
  const { config, clock, onFailure } = options;
  if (config.databaseUrl !== undefined) return { url: config.databaseUrl, pid: undefined, async stop() {} };
  const parts = { folder: config.dataDir, host: options.process, clock, log };
  return startEmbeddedPostgres(onFailure === undefined ? parts : { ...parts, onLost: onFailure }).catch(
    (failure: unknown) => {
      throw unusableFolder(config.dataDir, asError(failure));
    },
  );
}

/** The file system's own complaint, said so that one knows what to do; any other failure as it is. */
function unusableFolder(folder: string, failure: Error & { code?: string; syscall?: string }): Error {
  if (failure.syscall === undefined || failure.code === undefined) return failure;
  return new Error(
    `the data folder ${folder} cannot be used (${failure.message}): set AOS_DATA_DIR to a folder that this user may write`,
    { cause: failure },
  );
}

async function loadParts() {
  const modules = await Promise.all([
    import('./store/database.ts'),
    import('./agents/catalogue.ts'),
    import('./agents/agent.ts'),
    import('./agents/model-choice.ts'),
    import('./agents/session.ts'),
    import('./runs/event-log.ts'),
    import('./runs/run-store.ts'),
    import('./orchestration/program.ts'),
    import('./engine/dbos-engine.ts'),
    import('./dispatch.ts'),
    import('./invocations/door.ts'),
    import('./invocations/envelope.ts'),
    import('./invocations/socket.ts'),
    import('./invocations/routes.ts'),
    import('./invocations/front-page.ts'),
  ]);
  const [database, catalogue, agent, model, session, eventLog, runStore, program, engine, ...doors] = modules;
  const [dispatch, door, envelope, socket, routes, frontPage] = doors;
  return {
    ...database,
    ...catalogue,
    ...agent,
    ...model,
    ...session,
    ...eventLog,
    ...runStore,
    ...program,
    ...engine,
    ...dispatch,
    ...door,
    ...envelope,
    ...socket,
    ...routes,
    ...frontPage,
  };
}
