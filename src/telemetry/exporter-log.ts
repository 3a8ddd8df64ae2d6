/**
 * Log records as OpenTelemetry has them: severity, body, the fields and the baggage of the moment as attributes, and
 * the ids of the span that was current (protocol §2.5).
 */
import { type BaggageEntry, propagation } from '@opentelemetry/api';
import { type AnyValue, type AnyValueMap, type Logger, SeverityNumber } from '@opentelemetry/api-logs';
import type { Resource } from '@opentelemetry/resources';
import { LoggerProvider, type ReadableLogRecord } from '@opentelemetry/sdk-logs';
import type { ExportedLog, LogLevel } from './export.ts';
import { generalAttribute, scopeName } from './names.ts';
import { withoutSecrets } from './scrub.ts';

const SEVERITY: Record<LogLevel, { number: SeverityNumber; text: string }> = {
  trace: { number: SeverityNumber.TRACE, text: 'TRACE' },
  debug: { number: SeverityNumber.DEBUG, text: 'DEBUG' },
  info: { number: SeverityNumber.INFO, text: 'INFO' },
  warn: { number: SeverityNumber.WARN, text: 'WARN' },
  error: { number: SeverityNumber.ERROR, text: 'ERROR' },
  fatal: { number: SeverityNumber.FATAL, text: 'FATAL' },
};
/** Deeper than any record of ours; ends a cyclic object. */
const MAX_DEPTH = 6;

/** @param onRecord gets each finished record; it decides where they go */
export function createLogEmitter(
  resource: Resource,
  onRecord: (record: ReadableLogRecord) => void,
): (record: ExportedLog) => void {
  const provider = new LoggerProvider({
    resource,
    processors: [{ onEmit: onRecord, forceFlush: () => Promise.resolve(), shutdown: () => Promise.resolve() }],
  });
  const logger: Logger = provider.getLogger(scopeName.logs);
  return ({ time, level, message, fields, context }) => {
    const severity = SEVERITY[level];
    logger.emit({
      timestamp: time,
      severityNumber: severity.number,
      severityText: severity.text,
      body: message,
      attributes: logAttributes(fields, propagation.getBaggage(context)?.getAllEntries() ?? []),
      context,
    });
  };
}

/** Baggage comes from the caller, so a field of ours with the same name wins. */
export function logAttributes(
  fields: Readonly<Record<string, unknown>>,
  baggage: readonly (readonly [string, BaggageEntry])[],
): AnyValueMap {
  const attributes: AnyValueMap = {};
  const said = Object.fromEntries(baggage.map(([key, { value }]) => [key, value]));
  Object.assign(attributes, withoutSecrets(said));
  for (const [name, value] of Object.entries(fields)) {
    if (name === 'error' && isObject(value)) Object.assign(attributes, exceptionAttributes(value));
    else if (value !== undefined) attributes[name] = anyValue(value, 0);
  }
  return attributes;
}

/** The standard attributes of an exception, from an Error or from the object the log writes for one. */
function exceptionAttributes(error: Record<string, unknown>): AnyValueMap {
  const { type, name, message, stack } = error;
  return {
    [generalAttribute.exceptionType]: anyValue(type ?? name, 0),
    [generalAttribute.exceptionMessage]: anyValue(message, 0),
    [generalAttribute.exceptionStacktrace]: anyValue(stack, 0),
  };
}

function anyValue(value: unknown, depth: number): AnyValue {
  switch (typeof value) {
    case 'string':
    case 'boolean':
    case 'number':
      return value;
    case 'bigint':
      return String(value);
    case 'object':
      return value === null ? null : objectValue(value, depth);
    default:
      return undefined;
  }
}

function objectValue(value: object, depth: number): AnyValue {
  if (depth >= MAX_DEPTH) return '[too deep]';
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Uint8Array) return value;
  if (value instanceof Error) return { type: value.name, message: value.message, stack: value.stack ?? '' };
  if (Array.isArray(value)) return value.map((item) => anyValue(item, depth + 1));
  const members: AnyValueMap = {};
  for (const [name, member] of Object.entries(value)) members[name] = anyValue(member, depth + 1);
  return members;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
