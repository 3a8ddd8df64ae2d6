/**
 * The environment variables of the protocol (§2.1), read once, judged, and frozen. Every fault is reported in one
 * error, each with the variable, what came and what was expected. Checked by hand rather than with a schema library,
 * because this is on the path from process start to the first answer.
 */
import { LOG_LEVELS, type LogLevel } from '../telemetry/log.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface HostSettings {
  readonly port: number;
  readonly agentName: string;
  readonly agentVersion: string;
  readonly agentId: string;
  /** Default session id; not judged here: an invalid one is replaced per call (§8). */
  readonly sessionId: string;
  readonly instanceClientId: string;
  readonly blueprintClientId: string;
  readonly tenantId: string;
  readonly projectEndpoint: string;
  readonly projectArmId: string;
  readonly isHosted: boolean;
  /** Milliseconds of silence before an SSE comment; 0 is off. */
  readonly sseKeepAliveMs: number;
  /** Milliseconds between WebSocket pings; 0 is off. */
  readonly wsPingMs: number;
  readonly logLevel: LogLevel;
  /** Whether server spans are wanted where there is an exporter (decision D1). */
  readonly spans: boolean;
}

/** A setting the process cannot start with. Its message is for the person at the terminal; it needs no stack. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
  constructor(message: string) {
    super(message);
    this.stack = `ConfigurationError: ${message}`;
  }
}

/**
 * @param explicit values given in code, which win over the environment
 * @throws ConfigurationError naming every faulty variable
 */
export function readSettings(
  environment: Environment,
  explicit: { readonly port?: number; readonly logLevel?: string } = {},
): HostSettings {
  const faults: string[] = [];
  const judge = <Value>(name: string, value: string | undefined, rule: Rule<Value>): Value => {
    if (value === undefined || value.trim() === '') return rule.unset;
    const parsed = rule.parse(value.trim());
    if (parsed !== undefined) return parsed;
    faults.push(`${name} must be ${rule.expected}, but it is ${JSON.stringify(value)}`);
    return rule.unset;
  };
  const text = (name: string) => environment[name]?.trim() ?? '';

  const settings: HostSettings = {
    // In code, 0 asks the system for a free port; in the environment it is a mistake.
    port: explicit.port === 0 ? 0 : judge('PORT', explicit.port?.toString() ?? environment['PORT'], PORT),
    agentName: text('FOUNDRY_AGENT_NAME'),
    agentVersion: text('FOUNDRY_AGENT_VERSION'),
    agentId: text('FOUNDRY_AGENT_ID'),
    sessionId: environment['FOUNDRY_AGENT_SESSION_ID'] ?? '',
    instanceClientId: text('FOUNDRY_AGENT_INSTANCE_CLIENT_ID'),
    blueprintClientId: text('FOUNDRY_AGENT_BLUEPRINT_CLIENT_ID'),
    tenantId: text('FOUNDRY_AGENT_TENANT_ID'),
    projectEndpoint: text('FOUNDRY_PROJECT_ENDPOINT'),
    projectArmId: text('FOUNDRY_PROJECT_ARM_ID'),
    isHosted: (environment['FOUNDRY_HOSTING_ENVIRONMENT'] ?? '') !== '',
    sseKeepAliveMs: judge('SSE_KEEPALIVE_INTERVAL', environment['SSE_KEEPALIVE_INTERVAL'], WHOLE_SECONDS) * 1000,
    wsPingMs: judge('WS_KEEPALIVE_INTERVAL', environment['WS_KEEPALIVE_INTERVAL'], SECONDS) * 1000,
    logLevel: judge('AOS_LOG_LEVEL', explicit.logLevel ?? environment['AOS_LOG_LEVEL'], LEVEL),
    spans: judge('AGENTSERVER_SPANS', environment['AGENTSERVER_SPANS'], SWITCH),
  };
  if (faults.length > 0) throw new ConfigurationError(`${faults.join('; ')}. Correct or unset it and start again.`);
  return Object.freeze(settings);
}

interface Rule<Value> {
  readonly unset: Value;
  readonly expected: string;
  /** The value, or undefined for one that breaks the rule. */
  parse(value: string): Value | undefined;
}

const PORT: Rule<number> = {
  unset: 8088,
  expected: 'a whole number from 1 to 65535',
  parse(value) {
    const port = /^[+-]?\d+$/.test(value) ? Number(value) : Number.NaN;
    return port >= 1 && port <= 65_535 ? port : undefined;
  },
};

const WHOLE_SECONDS: Rule<number> = {
  unset: 0,
  expected: 'a whole number of seconds (0 switches it off)',
  // A negative interval means "off" in the reference, not a fault.
  parse: (value) => (/^[+-]?\d+$/.test(value) ? Math.max(0, Number(value)) : undefined),
};

/** The longest delay a Node timer takes, in seconds; a longer one would fire at once. */
const MAX_TIMER_SECONDS = 2_147_483;

const SECONDS: Rule<number> = {
  unset: 0,
  expected: 'a number of seconds that is not negative (0 switches it off)',
  parse(value) {
    const seconds = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value) ? Number(value) : Number.NaN;
    return Number.isFinite(seconds) && seconds >= 0 ? Math.min(seconds, MAX_TIMER_SECONDS) : undefined;
  },
};

const LEVEL: Rule<LogLevel> = {
  unset: 'INFO',
  expected: `one of ${LOG_LEVELS.join(', ')}`,
  parse: (value) => LOG_LEVELS.find((level) => level === value.toUpperCase()),
};

const SWITCH: Rule<boolean> = {
  unset: true,
  expected: 'on or off',
  parse: (value) => ({ on: true, true: true, '1': true, off: false, false: false, '0': false })[value.toLowerCase()],
};
