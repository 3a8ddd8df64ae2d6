/**
 * The database of a container: the operator's as it is, or the embedded one, started and watched.
 */
import type { Config } from '../config.ts';
import type { Clock } from '../core/clock.ts';
import { asError } from '../core/errors.ts';
import type { HostProcess } from '../store/postgres-launch.ts';
import type { Log } from '../telemetry/log.ts';

/** Where a database is, without user and password. */
export function describeDatabase(url: string): string {
  const { host, pathname, searchParams } = new URL(url);
  return `PostgreSQL at ${searchParams.get('host') ?? host}${pathname}`;
}

type StartEmbeddedPostgres = typeof import('../store/embedded-postgres.ts').startEmbeddedPostgres;

export interface DatabaseServer {
  readonly url: string;
  readonly pid: number | undefined;
  stop(): Promise<void>;
}

export interface DatabaseServerOptions {
  readonly config: Pick<Config, 'dataDir' | 'databaseUrl'>;
  readonly process: HostProcess;
  readonly clock: Clock;
  readonly onFailure?: (failure: Error) => void;
}

/** The operator's database as it is, or the embedded one, started. */
export async function startDatabaseServer(
  startEmbeddedPostgres: StartEmbeddedPostgres,
  options: DatabaseServerOptions,
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
