/**
 * One line of a program's log as the conformance suite reads it: JSON objects, or `time LEVEL logger: message` text.
 */
export type Level = 'DEBUG' | 'INFO' | 'WARNING' | 'ERROR' | 'CRITICAL';

export interface LogRecord {
  readonly level: Level;
  readonly message: string;
  /** The whole line, and for text the stack lines that follow it. */
  readonly line: string;
  readonly stream: 'stdout' | 'stderr';
  /** A structured field: a literal (dotted) key anywhere in the object, or a path of nested objects. */
  field(name: string): unknown;
}

const PINO_LEVELS: Readonly<Record<number, Level>> = {
  10: 'DEBUG',
  20: 'DEBUG',
  30: 'INFO',
  40: 'WARNING',
  50: 'ERROR',
  60: 'CRITICAL',
};
const LEVEL_NAMES: Readonly<Record<string, Level>> = {
  TRACE: 'DEBUG',
  DEBUG: 'DEBUG',
  INFO: 'INFO',
  WARN: 'WARNING',
  WARNING: 'WARNING',
  ERROR: 'ERROR',
  FATAL: 'CRITICAL',
  CRITICAL: 'CRITICAL',
};
const TEXT_LEVEL = /\b(DEBUG|INFO|WARNING|WARN|ERROR|CRITICAL|FATAL)\b/;

/** The record on `line`; undefined when it is neither layout (a stack line, or output that is no log at all). */
export function parseLogLine(line: string, stream: LogRecord['stream']): LogRecord | undefined {
  if (line.startsWith('{')) return parseJson(line, stream);
  const level = TEXT_LEVEL.exec(line.slice(0, 80));
  if (level === null) return undefined;
  const message = line.slice(level.index + level[0].length).trim();
  return {
    level: LEVEL_NAMES[level[0]] ?? 'INFO',
    message: message.replace(/^\S+: /, ''),
    line,
    stream,
    field: (name) => new RegExp(`(?:^|[\\s,])${name.replaceAll('.', '\\.')}=(\\S*)`).exec(line)?.[1],
  };
}

function parseJson(line: string, stream: LogRecord['stream']): LogRecord | undefined {
  let object: unknown;
  try {
    object = JSON.parse(line);
  } catch {
    return undefined;
  }
  const find = (...names: string[]) => names.map((name) => fieldOf(object, name)).find((value) => value !== undefined);
  const level = find('level', 'severity', 'severityText', 'lvl');
  return {
    level: (typeof level === 'number' ? PINO_LEVELS[level] : LEVEL_NAMES[String(level).toUpperCase()]) ?? 'INFO',
    message: String(find('message', 'msg', 'body') ?? ''),
    line,
    stream,
    field: (name) => fieldOf(object, name),
  };
}

function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  const members = value as Record<string, unknown>;
  if (Object.hasOwn(members, name)) return members[name];
  for (const [key, member] of Object.entries(members)) {
    const rest = name.startsWith(`${key}.`) ? name.slice(key.length + 1) : name;
    const found = fieldOf(member, rest);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Whether the record says `name=value`, be it as a field or in its text. Case of the value does not count. */
export function says(record: LogRecord, name: string, value: string): boolean {
  const field = record.field(name);
  if (field !== undefined && String(field).toLowerCase() === value.toLowerCase()) return true;
  const text = record.message.toLowerCase();
  const start = text.indexOf(`${name}=${value}`.toLowerCase());
  const after = text[start + name.length + 1 + value.length];
  return start >= 0 && (after === undefined || /[\s,;)]/.test(after));
}
