/**
 * The log: one JSON object per line on standard error, each line carrying the ids of the call it was written for
 * (protocol §2.5). Lines are handed to the operating system once per turn of the event loop rather than one by one,
 * and always before the process ends; a kill loses at most the lines of the turn it hit.
 */
import { pino } from 'pino';
import { currentCall } from '../core/call.ts';
import { afterTurn } from '../core/clock.ts';
import type { ExportedLog } from './export.ts';
import { scrub } from './scrub.ts';

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
}

export const LOGGER_NAME = 'azure.ai.agentserver';

const PINO_LEVEL = { DEBUG: 'debug', INFO: 'info', WARNING: 'warn', ERROR: 'error', CRITICAL: 'fatal' } as const;
const LEVEL_NAME: Record<string, LogLevel> = {
  debug: 'DEBUG',
  info: 'INFO',
  warn: 'WARNING',
  error: 'ERROR',
  fatal: 'CRITICAL',
};
const NO_FIELDS: LogFields = {};

export function createLog(options: LogOptions): Log {
  const { level, sink, name = LOGGER_NAME, onRecord } = options;
  const logger = pino(
    {
      level: PINO_LEVEL[level],
      base: { logger: name },
      messageKey: 'message',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: LEVEL_NAME[label] ?? label }) },
      mixin: callIds,
    },
    sink,
  );
  const write = (at: LogLevel) => {
    const method = PINO_LEVEL[at];
    return (message: string, fields?: LogFields) => {
      if (!logger.isLevelEnabled(method)) return;
      if (fields === undefined) {
        logger[method](message);
        onRecord?.(method, message, NO_FIELDS);
        return;
      }
      const scrubbed = scrub(fields);
      logger[method](scrubbed, message);
      onRecord?.(method, message, scrubbed);
    };
  };
  return { debug: write('DEBUG'), info: write('INFO'), warn: write('WARNING'), error: write('ERROR') };
}

function callIds(): object {
  const call = currentCall();
  return { invocation_id: call?.invocationId ?? '', session_id: call?.sessionId ?? '' };
}

/** A sink that gathers the lines of one event-loop turn and writes them at once; `flush` writes what is left. */
export function createTurnSink(write: (lines: string) => void): LogSink & { flush(): void } {
  let pending = '';
  const flush = () => {
    const lines = pending;
    pending = '';
    if (lines !== '') write(lines);
  };
  return {
    write(line) {
      if (pending === '') afterTurn(flush);
      pending += line;
    },
    flush,
  };
}
