/**
 * Export of spans and log records as the rest of the process sees it: whether the environment asks for it, and the
 * port to it. Imports nothing of the OpenTelemetry SDK, so that a process that exports nothing never loads it:
 * whoever finds an exporter wanted imports `exporters.ts` dynamically.
 */
import type { Context, TracerProvider } from '@opentelemetry/api';

/** The environment as a record; unset and blank values mean the same. */
export type Env = Readonly<Record<string, string | undefined>>;

/** Who this process is to Foundry; absent members are empty strings (protocol §2.1). */
export interface ExportedAgent {
  readonly name: string;
  readonly version: string;
  /** `FOUNDRY_AGENT_ID`: the agent's GUID; not used in enrichment, which names the instance client (§14.3). */
  readonly id: string;
  readonly instanceClientId: string;
  readonly blueprintClientId: string;
  readonly tenantId: string;
  readonly projectArmId: string;
}

export interface ExporterOptions {
  readonly env: Env;
  readonly agent: ExportedAgent;
  /** Told in whole sentences, rarely, and never with secrets: set-up faults, and collectors that do not take what we send. */
  readonly onWarning: (message: string) => void;
}

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';

/** One log record on its way out. */
export interface ExportedLog {
  /** Wall time, milliseconds since the epoch. */
  readonly time: number;
  readonly level: LogLevel;
  readonly message: string;
  /** Become attributes; objects and arrays are nested values, `undefined` members are left out. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** Supplies trace id, span id and baggage. */
  readonly context: Context;
}

export interface Exporters {
  readonly tracerProvider: TracerProvider;
  /** Queues a record; drops it when the queue is full. Never throws, never waits. */
  emitLog(record: ExportedLog): void;
  /**
   * Sends what has been recorded so far; resolves when it is sent or given up, after 5 s at most. Never rejects.
   * Calls share work: at most one flush is under way and one waits for it, however many callers there are.
   */
  flush(): Promise<void>;
  /** Sends what is left and closes connections, within 5 s. Records that come later are dropped. Never rejects. */
  shutdown(): Promise<void>;
}

export interface ExportersWanted {
  readonly otlp: boolean;
  readonly azureMonitor: boolean;
}

/**
 * Which exporters the environment switches on: OTLP by an endpoint (the common one, or that of traces or of logs),
 * Azure Monitor by a connection string; both may run. `OTEL_SDK_DISABLED=true` switches both off.
 */
export function exportersWanted(env: Env): ExportersWanted {
  const enabled = setting(env, 'OTEL_SDK_DISABLED')?.toLowerCase() !== 'true';
  return {
    otlp: enabled && (otlpSignalWanted(env, 'TRACES') || otlpSignalWanted(env, 'LOGS')),
    azureMonitor: enabled && setting(env, 'APPLICATIONINSIGHTS_CONNECTION_STRING') !== undefined,
  };
}

/** Whether OTLP has an endpoint for this signal and `OTEL_<SIGNAL>_EXPORTER` does not say `none`. */
export function otlpSignalWanted(env: Env, signal: 'TRACES' | 'LOGS'): boolean {
  const endpoint = setting(env, `OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`) ?? setting(env, 'OTEL_EXPORTER_OTLP_ENDPOINT');
  return endpoint !== undefined && setting(env, `OTEL_${signal}_EXPORTER`)?.toLowerCase() !== 'none';
}

/** A variable's value without surrounding blanks; blank is `undefined`. */
export function setting(env: Env, name: string): string | undefined {
  const value = env[name]?.trim();
  return value === undefined || value === '' ? undefined : value;
}
