/**
 * The process edge: the one file that touches `process`. Environment in, exit code out. The first log line is written
 * before anything else is loaded, so that a container that hangs while loading has at least said that it began.
 */
import { enableCompileCache } from 'node:module';
import { isoTime, systemClock } from './core/clock.ts';
import { asError } from './core/errors.ts';
import { createTextSink } from './telemetry/log-text.ts';

/** Failures whose sentence says all; of any other the stack is wanted too. */
const EXPLAINED = ['Error', 'ConfigError', 'ConfigurationError', 'RegistryError', 'AosError'];

let stop: (() => Promise<void>) | undefined;
let stopping = false;

process.on('SIGTERM', onSignal);
process.on('SIGINT', onSignal);
// Whoever read what we say may have gone; that is no reason to end.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
say('INFO', 'aos-agent-server is starting', { pid: process.pid, node: process.versions.node });
// Run from the sources, this spares a second start from reading and compiling every file again.
enableCompileCache();
await start().catch((failure: unknown) => giveUp('cannot start', asError(failure)));

async function start(): Promise<void> {
  const { readConfig } = await import('./config.ts');
  const { readSettings } = await import('./host/settings.ts');
  const [config] = readAll(
    () => readConfig(process.env, process.cwd()),
    () => readSettings(process.env),
  );
  const { startContainer } = await import('./container.ts');
  const container = await startContainer({
    config,
    environment: process.env,
    process,
    clock: systemClock,
    onFailure: (failure) => giveUp('cannot go on', failure),
  });
  stop = container.stop;
  container.log.info('aos-agent-server is ready', { duration_ms: Math.round(process.uptime() * 1000) });
  process.stdout.write(container.banner(process.stdout.isTTY));
}

/** Reads both halves of the environment, so that one message names the faults of both. */
function readAll<First, Second>(first: () => First, second: () => Second): [First, Second] {
  const faults: string[] = [];
  const attempt = <Part>(read: () => Part): Part | undefined => {
    try {
      return read();
    } catch (fault) {
      faults.push(...asError(fault).message.split('\n'));
      return undefined;
    }
  };
  const [one, other] = [attempt(first), attempt(second)];
  if (one !== undefined && other !== undefined) return [one, other];
  throw new Error(faults.length === 1 ? faults[0] : ['the environment has faults:', ...faults].join('\n  - '));
}

/** The first signal ends the process in good order, the second at once. */
function onSignal(signal: string): void {
  if (stop === undefined) {
    say('INFO', `${signal} was received while starting: nothing is under way yet, so it ends here`);
    process.exit(0);
  }
  if (stopping) {
    say('WARNING', `${signal} was received again: ending at once; runs under way go on at the next start`);
    process.exit(1);
  }
  stopping = true;
  say('INFO', `${signal} was received: finishing what is under way`);
  stop().then(
    () => process.exit(0),
    (failure: unknown) => giveUp('could not stop in good order', asError(failure)),
  );
}

/** Says why in one sentence, as the last line, and ends. */
function giveUp(what: string, thrown: Error): void {
  // A failure to tidy up after a failure matters less than the failure.
  const failure = thrown instanceof SuppressedError ? asError(thrown.suppressed) : thrown;
  const fields = EXPLAINED.includes(failure.name) ? {} : { stack: failure.stack };
  process.on('exit', () => say('CRITICAL', `aos-agent-server ${what}: ${failure.message}`, fields));
  process.exit(1);
}

/** A record of our own, for the moments when there is no log yet or no longer. */
function say(level: string, message: string, fields: Readonly<Record<string, unknown>> = {}): void {
  const record = { level, time: isoTime(systemClock.now()), logger: 'aos-agent-server', message, ...fields };
  const write = (text: string) => process.stderr.write(text);
  const sink = process.stderr.isTTY ? createTextSink(write) : { write };
  sink.write(`${JSON.stringify(record)}\n`);
}
