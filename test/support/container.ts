/**
 * The whole container in this process, on a database of its own and a port of its own, with the simulated model at
 * zero latency unless a test wants it slow. Several may run at a time, also on one database.
 */
import { type Config, runtimeDefaults } from '../../src/config.ts';
import { type ContainerOptions, startContainer } from '../../src/container.ts';
import { systemClock } from '../../src/core/clock.ts';
import { createTestDatabase } from './database.ts';

export interface TestContainer extends AsyncDisposable {
  readonly url: string;
  /** Of its database, for another container on the same one. */
  readonly databaseUrl: string;
  /** Every log record so far. */
  records(): Record<string, unknown>[];
}

export interface TestContainerOptions {
  /** Another container's database; a new one when left out. */
  readonly databaseUrl?: string;
  /** A file of agents in place of those that ship. */
  readonly registryPath?: string;
  readonly model?: Config['model'];
  readonly runtime?: Partial<Config['runtime']>;
  readonly seams?: ContainerOptions['seams'];
  readonly simulation?: Config['simulation'];
}

export async function startTestContainer(options: TestContainerOptions = {}): Promise<TestContainer> {
  const databaseUrl = options.databaseUrl ?? (await createTestDatabase());
  const lines: string[] = [];
  const container = await startContainer({
    config: {
      dataDir: '/nowhere',
      databaseUrl,
      registryPath: options.registryPath,
      model: options.model ?? { provider: 'simulated', firstTokenMs: 0, tokenMs: 0 },
      captureContent: true,
      runtime: { ...runtimeDefaults, ...options.runtime },
      simulation: options.simulation,
    },
    environment: {},
    process,
    clock: systemClock,
    port: 0,
    logSink: { write: (line) => lines.push(line) },
    ...(options.seams === undefined ? {} : { seams: options.seams }),
  });
  return {
    url: container.address.url,
    databaseUrl,
    records: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>),
    [Symbol.asyncDispose]: container.stop,
  };
}
