/**
 * The log: one JSON object per line on standard error, each line carrying the ids of the call it was written for
 * (protocol §2.5). Lines are handed to the operating system several at a time rather than one by one, and always before
 * the process ends; a kill loses at most the lines of the last few milliseconds.
 *
 * Every request writes two lines, so the line is put together by hand: with a logging library they cost as much as a
 * tenth of everything else a request costs.
 */
import { currentCall } from '../core/call.ts';
import { afterTurn, type Clock, isoTime, systemClock } from '../core/clock.ts';
import type { ExportedLog } from './export.ts';
import { scrub, scrubText } from './scrub.ts';

export const LOG_LEVELS = ['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  /** An `Error` under the field `error` is written with its type, message and stack. */
  error(message: string, fields?: LogFields): void;
}

/** Where finished lines go: standard error in a process, an array in a test. */
export interface LogSink {
  write(lines: string): void;
}

export interface LogOptions {
  readonly level: LogLevel;
  readonly sink: LogSink;
  /** The `logger` field: which part of the program speaks. */
  readonly name?: string;
  /** Called for every record at or above the level, after scrubbing: how records reach the telemetry exporters. */
  readonly onRecord?: (level: ExportedLog['level'], message: string, fields: LogFields) => void;
  /** Wall time, epoch milliseconds. */
  readonly now?: () => number;
}

export const LOGGER_NAME = 'azure.ai.agentserver';

const EXPORTED_LEVEL = {
  DEBUG: 'debug',
  INFO: 'info',
  WARNING: 'warn',
  ERROR: 'error',
  CRITICAL: 'fatal',
} as const satisfies Record<LogLevel, ExportedLog['level']>;
const NO_FIELDS: LogFields = {};

export function createLog(options: LogOptions): Log {
  const { level: lowest, sink, name = LOGGER_NAME, onRecord, now = systemClock.now } = options;
  const write = (level: LogLevel) => {
    if (LOG_LEVELS.indexOf(level) < LOG_LEVELS.indexOf(lowest)) return () => {};
    const headAt = createHead(level, name);
    // Text of our own never holds secrets; that of failures may quote anything.
    const mayQuote = level !== 'DEBUG' && level !== 'INFO';
    return (text: string, given?: LogFields) => {
      const message = mayQuote ? scrubText(text) : text;
      const fields = given === undefined ? NO_FIELDS : scrub(given);
      const members = given === undefined ? '' : membersOf(fields);
      sink.write(`${headAt(now())}${callIds()}${members},"message":${JSON.stringify(message)}}\n`);
      onRecord?.(EXPORTED_LEVEL[level], message, fields);
    };
  };
  return { debug: write('DEBUG'), info: write('INFO'), warn: write('WARNING'), error: write('ERROR') };
}

const NO_IDS = '"invocation_id":"","session_id":""';

function callIds(): string {
  const call = currentCall();
  if (call === undefined || (call.invocationId === '' && call.sessionId === '')) return NO_IDS;
  return `"invocation_id":${JSON.stringify(call.invocationId)},"session_id":${JSON.stringify(call.sessionId)}`;
}

/** The fields as members of an object that has others before them. */
function membersOf(fields: LogFields): string {
  const object = JSON.stringify(fields);
  return object === '{}' ? '' : `,${object.slice(1, -1)}`;
}

/** The beginning of the lines of one level. All lines of one millisecond, of which a busy process writes many, share it. */
function createHead(level: LogLevel, name: string): (epochMs: number) => string {
  let madeAt = Number.NaN;
  let head = '';
  return (epochMs) => {
    if (epochMs !== madeAt) {
      madeAt = epochMs;
      const text = `{"level":"${level}","time":"${isoTime(epochMs)}","logger":${JSON.stringify(name)},`;
      // Through bytes it becomes a string of one piece; one of many is copied piece by piece into every line.
      head = Buffer.from(text).toString();
    }
    return head;
  };
}

/** How long lines may be gathered when lines come all the time, in milliseconds. */
const GATHER_MS = 10;
/** More than this is not gathered, in characters. */
const GATHER_LENGTH = 64 * 1024;

/**
 * A sink that writes a line at the end of its event-loop turn, and where more follow, gathers those of a few
 * milliseconds: writing costs more than everything else about a line. `flush` writes what is left.
 */
export function createTurnSink(
  write: (lines: string) => void,
  clock: Clock = systemClock,
): LogSink & { flush(): void } {
  let pending = '';
  let isGathering = false;
  const flush = () => {
    const lines = pending;
    pending = '';
    if (lines !== '') write(lines);
  };
  const gather = () => {
    isGathering = pending !== '';
    if (isGathering) clock.after(GATHER_MS, gather);
    flush();
  };
  return {
    write(line) {
      if (!isGathering) {
        isGathering = true;
        afterTurn(gather);
      }
      pending += line;
      if (pending.length > GATHER_LENGTH) flush();
    },
    flush,
  };
}
