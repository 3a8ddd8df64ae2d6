/** Brokers that speak Kafka's protocol (librdkafka's own), to be broken as a test says, and kcat to read their topics. */
import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { missingPrograms } from './program.ts';

export interface KafkaCluster {
  readonly brokers: readonly string[];
  /** A line for the program of `kafka-cluster.c`, which names them; resolves when it is done. */
  tell(command: string): Promise<void>;
  /** The records of a topic, as kcat prints them. */
  records(topic: string): Promise<readonly KafkaRecord[]>;
  close(): Promise<void>;
}

export interface KafkaRecord {
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
  readonly payload: string;
  /** Names and values by turns. */
  readonly headers: readonly string[];
}

/** What a skipped test says; undefined when a cluster can be had. */
export function missingForKafka(): string | undefined {
  const missing = missingPrograms('cc', 'pkg-config', 'kcat');
  if (missing !== undefined) return missing;
  return spawnSync('pkg-config', ['--exists', 'rdkafka']).status === 0 ? undefined : 'skipped: needs librdkafka-dev';
}

export async function startKafkaCluster(size: number): Promise<KafkaCluster> {
  const folder = mkdtempSync(join(tmpdir(), 'aos-kafka-'));
  const program = join(folder, 'kafka-cluster');
  const flags = spawnSync('pkg-config', ['--cflags', '--libs', 'rdkafka'], { encoding: 'utf8' }).stdout.trim();
  const source = join(import.meta.dirname, 'kafka-cluster.c');
  const built = spawnSync('cc', ['-o', program, source, ...flags.split(/\s+/)], { encoding: 'utf8' });
  if (built.status !== 0) throw new Error(`kafka-cluster.c does not compile: ${built.stderr}`);

  const child = spawn(program, [String(size)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => String((await lines.next()).value);
  const brokers = (await next()).replace('BOOTSTRAP ', '').split(',');
  return {
    brokers,
    async tell(command) {
      child.stdin.write(`${command}\n`);
      const answer = await next();
      if (answer !== 'OK') throw new Error(`the cluster said ${answer}`);
    },
    async records(topic) {
      const options = [
        '-C',
        '-q',
        '-b',
        brokers.join(','),
        '-t',
        topic,
        '-e',
        '-J',
        '-o',
        'beginning',
        '-X',
        'fetch.wait.max.ms=10',
      ];
      const { stdout } = await promisify(execFile)('kcat', options, { timeout: 20_000 });
      return stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as KafkaRecord);
    },
    async close() {
      if (child.exitCode !== null) return;
      child.stdin.end();
      await once(child, 'close');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
