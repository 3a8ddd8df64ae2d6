/** Logs for tests: one that says nothing, one that remembers. */
import type { Log, LogFields } from '../../src/telemetry/log.ts';

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

export interface LogLine {
  readonly level: keyof Log;
  readonly message: string;
  readonly fields: LogFields | undefined;
}

export function recordingLog(): Log & { readonly lines: readonly LogLine[] } {
  const lines: LogLine[] = [];
  const at = (level: keyof Log) => (message: string, fields?: LogFields) => {
    lines.push({ level, message, fields });
  };
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
