/**
 * The process edge: the one file that touches `process`. Environment in, exit code out. The first log line is written
 * before anything else is loaded, so that a container that hangs while loading has at least said that it began.
 */
import { isoTime, systemClock } from './core/clock.ts';
import { asError } from './core/errors.ts';
import { createTextSink } from './telemetry/log-text.ts';

/** At a terminal the log is text; elsewhere the host writes its lines itself. */
const terminal = process.stderr.isTTY ? createTextSink((lines) => process.stderr.write(lines)) : undefined;
/** Failures whose sentence says all; of any other the stack is wanted too. */
const EXPLAINED = ['Error', 'ConfigError', 'ConfigurationError', 'RegistryError', 'AosError'];

let stop: (() => Promise<void>) | undefined;
let stopping: string | undefined;

say('INFO', 'aos-agent-server is starting', { pid: process.pid, node: process.versions.node });
process.on('SIGTERM', onSignal);
process.on('SIGINT', onSignal);
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
    ...(terminal === undefined ? {} : { logSink: terminal }),
  });
  stop = container.stop;
  container.log.info('aos-agent-server is ready', { duration_ms: Math.round(process.uptime() * 1000) });
  process.stdout.write(container.banner(process.stdout.isTTY));
  if (stopping !== undefined) await stopNow();
}

/** Reads both halves of the environment, so that one message names the faults of both. */
function readAll<First, Second>(first: () => First, second: () => Second): [First, Second] {
  const faults: string[] = [];
  const attempt = <Part>(read: () => Part): Part | undefined => {
    try {
      return read();
    } catch (fault) {
      faults.push(asError(fault).message);
      return undefined;
    }
  };
  const [one, other] = [attempt(first), attempt(second)];
  if (one === undefined || other === undefined) throw new Error(faults.join('\n'));
  return [one, other];
}

/** The first signal ends the process in good order, the second at once. */
function onSignal(signal: string): void {
  if (stopping !== undefined) {
    say('WARNING', `${signal} was received again: ending at once; runs under way go on at the next start`);
    process.exit(1);
  }
  stopping = signal;
  say('INFO', `${signal} was received: finishing what is under way`);
  void stopNow().catch((failure: unknown) => giveUp('could not stop in good order', asError(failure)));
}

async function stopNow(): Promise<void> {
  // Still starting: what has come up is taken down again as soon as the start is over.
  if (stop === undefined) return;
  await stop();
  process.exit(0);
}

/** Says why in one sentence, as the last line, and ends. */
function giveUp(what: string, failure: Error): void {
  const fields = EXPLAINED.includes(failure.name) ? {} : { stack: failure.stack };
  process.on('exit', () => say('CRITICAL', `aos-agent-server ${what}: ${failure.message}`, fields));
  process.exit(1);
}

/** A record of our own, for the moments when there is no log yet or no longer. */
function say(level: string, message: string, fields: Readonly<Record<string, unknown>> = {}): void {
  const record = { level, time: isoTime(systemClock.now()), logger: 'aos-agent-server', message, ...fields };
  const line = `${JSON.stringify(record)}\n`;
  if (terminal === undefined) process.stderr.write(line);
  else terminal.write(line);
}
