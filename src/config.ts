/**
 * The configuration of the container, read once from the environment: a schema for each variable, then the rules
 * between them (which model, where the data is). Every fault is reported at once, in words a person can act on.
 * The protocol host reads its own variables (`PORT`, `AOS_LOG_LEVEL`, `FOUNDRY_AGENT_*`, `SSE_…`, `OTEL_…`) by itself.
 */
import { isAbsolute, join, resolve } from 'node:path';
import { z } from 'zod';
import type { ModelConfig } from './agents/model.ts';
import { closest } from './core/closest.ts';
import { DEFAULT_MAX_DEPTH } from './delegation/delegation-rules.ts';
import { type Destination, parseDestination } from './egress/destination.ts';
import { type EgressMode, egressModes } from './egress/egress-guard.ts';
import { type Environment, environments } from './governance/action.ts';
import { defaultPolicy, noFloor, screeningActions, type TenantScreening } from './governance/screening/policy.ts';
import { type IdentitySettings, readIdentity } from './identity/identity-settings.ts';
import type { RowSecurity } from './store/database.ts';
import { type Env, setting } from './telemetry/export.ts';

const MODEL_PROVIDERS = [
  'azure',
  'openai',
  'openai-compatible',
  'foundry',
  'simulated',
] as const satisfies readonly ModelConfig['provider'][];
type ModelProvider = (typeof MODEL_PROVIDERS)[number];

export interface Config {
  /** Where the container keeps what must survive it. */
  readonly dataDir: string;
  /** A PostgreSQL of the operator's; undefined: the embedded one inside `dataDir`. */
  readonly databaseUrl: string | undefined;
  /** A registry file of the operator's; undefined: the agents that ship with the package. */
  readonly registryPath: string | undefined;
  readonly model: ModelConfig;
  /** Whether spans hold what people and models wrote. */
  readonly captureContent: boolean;
  readonly runtime: RuntimeConfig;
  /** Set where everything outside is simulated; `dataDir` is one of its own then. */
  readonly simulation?: SimulationConfig | undefined;
}

/** What a simulation is made with. */
export interface SimulationConfig {
  /** Wins over that of the scenario. */
  readonly seed: string | undefined;
  /** A scenario of the operator's; undefined: a good day. */
  readonly file: string | undefined;
}

/** How the runtime behind the doors works. */
export interface RuntimeConfig {
  /** Runs executing at a time in this process; the rest are queued. */
  readonly maxRuns: number;
  /** Between how many workers the pool for tasks scales. */
  readonly workers: { readonly min: number; readonly max: number };
  /** Ended runs older than this are deleted; undefined: they are kept for ever. */
  readonly retentionDays: number | undefined;
  /** What callbacks are signed with; undefined: they are not signed. */
  readonly callbackSecret: string | undefined;
  /** PEM file of the key that signs audit checkpoints; undefined: the server has one of its own in `dataDir`. */
  readonly auditKeyFile: string | undefined;
  /** Where this server stands; outside of development less is taken for granted. */
  readonly environment: Environment;
  /** The file that says which fabric planes there are; undefined: none, and simulated direct calls in development. */
  readonly fabricFile: string | undefined;
  /** Whether preset 6 (direct calls of systems) may be chosen in production. */
  readonly allowScrappy: boolean;
  /** Whether work may name agents that nobody has registered. */
  readonly allowUnregisteredAgents: boolean;
  /** Whether callbacks may go to loopback and private addresses. */
  readonly allowPrivateCallbacks: boolean;
  /** Whether the database itself keeps tenants apart, or only the conditions of our statements do. */
  readonly rowSecurity: RowSecurity;
  readonly egress: EgressConfig;
  /** Prices of models beside those that ship with the package. */
  readonly pricesFile: string | undefined;
  readonly governance: GovernanceConfig;
  readonly delegation: DelegationConfig;
  /** Whether requests that come too often are refused: outside of development unless it is said otherwise. */
  readonly rateLimits: boolean;
  /** What is done with the personal data of tenants that have nothing to say about it. */
  readonly screening: TenantScreening;
  /** How it is known who asks. */
  readonly identity: IdentitySettings;
  /** Whether others than this machine may connect. */
  readonly listenEverywhere: boolean;
}

/** What may leave this process. */
export interface EgressConfig {
  readonly mode: EgressMode;
  /** Where it may connect to beside what it is configured with. */
  readonly allow: readonly Destination[];
  /** Whether agents may read the public internet where direct calls of systems are forbidden. */
  readonly allowHttpFetch: boolean;
}

/** How agents hand work to one another. */
export interface DelegationConfig {
  /** How often work may be handed on. */
  readonly maxDepth: number;
  /** Whether agents with an address are brought their messages there; otherwise they fetch them. */
  readonly push: boolean;
}

/** Which rules hold for what agents do. */
export interface GovernanceConfig {
  /** Whether actions are judged: outside of development, and in it as soon as a file is named. */
  readonly enforced: boolean;
  /** A policy of the operator's; undefined: the one that ships with the package. */
  readonly policyFile: string | undefined;
  /** A RACI matrix of the operator's; undefined: that of the blueprint. */
  readonly raciFile: string | undefined;
}

export const runtimeDefaults: RuntimeConfig = Object.freeze({
  maxRuns: 64,
  workers: Object.freeze({ min: 1, max: 10 }),
  retentionDays: undefined,
  callbackSecret: undefined,
  auditKeyFile: undefined,
  environment: 'development',
  fabricFile: undefined,
  allowScrappy: false,
  allowUnregisteredAgents: false,
  allowPrivateCallbacks: false,
  rowSecurity: 'required',
  egress: Object.freeze({ mode: 'observe', allow: Object.freeze([]), allowHttpFetch: false }),
  pricesFile: undefined,
  governance: Object.freeze({
    enforced: false,
    policyFile: undefined,
    raciFile: undefined,
  }),
  delegation: Object.freeze({ maxDepth: DEFAULT_MAX_DEPTH, push: false }),
  rateLimits: false,
  screening: noFloor,
  identity: Object.freeze({ mode: 'off' }),
  listenEverywhere: false,
});

/** The environment cannot be used; the message has a line for every fault. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(faults.join('\n'));
    this.faults = faults;
  }
}

/** Used when OpenAI itself is configured by nothing but its key. */
const DEFAULT_OPENAI_MODEL = 'gpt-5-mini';
const MAX_PACE_MS = 60_000;
const MODEL_VARIABLE = /^(AZURE_OPENAI|OPENAI|FOUNDRY|AOS_MODEL)/;

const text = z.string();
const httpUrl = z.url({ protocol: /^https?$/, error: 'an http(s) address such as https://name.example.com' });
const postgresUrl = z.url({
  protocol: /^postgres(ql)?$/,
  error: 'a PostgreSQL address such as postgres://user:password@host:5432/database',
});
const milliseconds = z
  .string()
  .refine((value) => /^\d+$/.test(value) && Number(value) <= MAX_PACE_MS, {
    error: `whole milliseconds from 0 to ${MAX_PACE_MS}`,
  })
  .transform(Number);

/** A whole number in words of the environment. */
const count = (min: number, max: number, what: string) =>
  z
    .string()
    .refine((value) => /^\d{1,9}$/.test(value) && Number(value) >= min && Number(value) <= max, {
      error: `a whole number of ${what} from ${min} to ${max}`,
    })
    .transform(Number);
const onOff = z
  .string()
  .regex(/^(?:true|false|on|off|yes|no|1|0)$/i, { error: 'on or off' })
  .transform((value) => /^(?:true|on|yes|1)$/i.test(value));

const provider = z.preprocess(
  (value) => (typeof value === 'string' ? value.toLowerCase() : value),
  z.enum(MODEL_PROVIDERS, {
    error: ({ input }) =>
      `one of ${MODEL_PROVIDERS.join(', ')}${closest(String(input), MODEL_PROVIDERS, ' (did you mean %s?)')}`,
  }),
);

const environmentName = z.preprocess(
  (value) => (typeof value === 'string' ? value.toLowerCase() : value),
  z.enum(environments, {
    error: ({ input }) =>
      `one of ${environments.join(', ')}${closest(String(input), environments, ' (did you mean %s?)')}`,
  }),
);

const screeningAction = z.preprocess(
  (value) => (typeof value === 'string' ? value.toUpperCase() : value),
  z.enum(screeningActions, {
    error: ({ input }) =>
      `one of ${screeningActions.join(', ')}${closest(String(input), screeningActions, ' (did you mean %s?)')}`,
  }),
);

const rowSecurity = z.preprocess(
  (value) => (typeof value === 'string' ? value.toLowerCase() : value),
  z.enum(['required', 'off'] satisfies RowSecurity[], { error: 'required or off' }),
);
const egressMode = z.preprocess(
  (value) => (typeof value === 'string' ? value.toLowerCase() : value),
  z.enum(egressModes, {
    error: ({ input }) =>
      `one of ${egressModes.join(', ')}${closest(String(input), egressModes, ' (did you mean %s?)')}`,
  }),
);

const modes = ['live', 'simulation'] as const;
const serverMode = z.preprocess(
  (value) => (typeof value === 'string' ? value.toLowerCase() : value),
  z.enum(modes, {
    error: ({ input }) => `one of ${modes.join(', ')}${closest(String(input), modes, ' (did you mean %s?)')}`,
  }),
);

const destinations = z
  .string()
  .refine((value) => namesIn(value).every((name) => parseDestination(name) !== undefined), {
    error: 'places such as proxy.example.com:3128, *.example.com or [fd00::1]:443, separated by commas',
  })
  .transform((value) => namesIn(value).flatMap((name) => parseDestination(name) ?? []));

function namesIn(list: string): string[] {
  return list.split(/[\s,]+/).filter((name) => name !== '');
}

/** Every variable the container reads, each with what it may be. Blank and unset are the same. */
const environment = z.object({
  HOME: text.optional(),
  AOS_DATA_DIR: text.optional(),
  AOS_DATABASE_URL: postgresUrl.optional(),
  AGENT_REGISTRY_PATH: text.optional(),
  AOS_MODEL: text.optional(),
  AOS_MODEL_PROVIDER: provider.optional(),
  AOS_SIMULATED_FIRST_TOKEN_MS: milliseconds.optional(),
  AOS_SIMULATED_TOKEN_MS: milliseconds.optional(),
  AZURE_OPENAI_ENDPOINT: httpUrl.optional(),
  AZURE_OPENAI_API_KEY: text.optional(),
  AZURE_OPENAI_DEPLOYMENT: text.optional(),
  AZURE_OPENAI_DEPLOYMENT_NAME: text.optional(),
  AZURE_OPENAI_API_VERSION: text.optional(),
  OPENAI_API_KEY: text.optional(),
  OPENAI_BASE_URL: httpUrl.optional(),
  OPENAI_MODEL: text.optional(),
  FOUNDRY_PROJECT_ENDPOINT: httpUrl.optional(),
  OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: text.optional(),
  AOS_MAX_RUNS: count(1, 10_000, 'runs').optional(),
  AOS_WORKERS_MIN: count(0, 1000, 'workers').optional(),
  AOS_WORKERS_MAX: count(1, 1000, 'workers').optional(),
  AOS_RETENTION_DAYS: count(1, 36_500, 'days').optional(),
  AOS_CALLBACK_SECRET: text.min(16, { error: 'at least 16 characters' }).optional(),
  AOS_AUDIT_KEY_FILE: text.optional(),
  AOS_FABRIC_FILE: text.optional(),
  AOS_ALLOW_SCRAPPY: onOff.optional(),
  AOS_ALLOW_UNREGISTERED_AGENTS: onOff.optional(),
  AOS_ALLOW_PRIVATE_CALLBACKS: onOff.optional(),
  AOS_ROW_SECURITY: rowSecurity.optional(),
  AOS_MODE: serverMode.optional(),
  AOS_SIMULATION_SEED: text.max(200, { error: 'at most 200 characters' }).optional(),
  AOS_SIMULATION_FILE: text.optional(),
  AOS_EGRESS: egressMode.optional(),
  AOS_EGRESS_ALLOW: destinations.optional(),
  AOS_ALLOW_HTTP_FETCH: onOff.optional(),
  AOS_ENVIRONMENT: environmentName.optional(),
  AOS_ALLOW_UNAUTHENTICATED: onOff.optional(),
  AOS_A2A_MAX_DEPTH: count(1, 100, 'delegations').optional(),
  AOS_A2A_PUSH: onOff.optional(),
  // Judged together, in identity-settings.ts.
  AUTH_MODE: text.optional(),
  AUTH_JWKS_URL: text.optional(),
  AUTH_ISSUER: text.optional(),
  AUTH_AUDIENCE: text.optional(),
  AUTH_ALGORITHMS: text.optional(),
  AUTH_ENTRA_TENANTS: text.optional(),
  AUTH_HS256_SECRET: text.optional(),
  AUTH_TENANT: text.optional(),
  AUTH_PLATFORM_ROLES: text.optional(),
  AUTH_PLATFORM_ADMINS: text.optional(),
  AOS_API_KEYS: text.optional(),
  AOS_API_KEYS_FILE: text.optional(),
  AOS_POLICY_FILE: text.optional(),
  AOS_RACI_FILE: text.optional(),
  AOS_RATE_LIMITS: onOff.optional(),
  AOS_SCREENING: screeningAction.optional(),
  FOUNDRY_HOSTING_ENVIRONMENT: text.optional(),
  AOS_PRICES_FILE: text.optional(),
});
type Variables = z.infer<typeof environment>;
type VariableName = keyof Variables;

/**
 * Reads the configuration.
 * @param env the process's environment
 * @param workingDirectory what relative paths are relative to
 * @throws ConfigError naming every fault: which variable, what was expected, what came (secrets masked)
 */
export function readConfig(env: Env, workingDirectory: string): Config {
  const faults: string[] = [];
  const fault = (message: string): undefined => {
    faults.push(message);
    return undefined;
  };
  const variables = readVariables(env, fault);
  // A faulty model variable was left out above: what the others amount to without it would be a second, false fault.
  const modelIsClear = !faults.some((message) => MODEL_VARIABLE.test(message));
  const simulation = readSimulation(variables, workingDirectory, fault);
  const ownDir = dataDirectory(variables, workingDirectory, fault);
  const dataDir = ownDir === undefined || simulation === undefined ? ownDir : join(ownDir, 'simulation');
  const model = modelIsClear ? chooseModel(variables, fault) : undefined;
  const runtime = readRuntime(variables, workingDirectory, fault);
  if (dataDir === undefined || model === undefined || faults.length > 0) throw new ConfigError(faults);
  return Object.freeze({
    dataDir,
    databaseUrl: variables.AOS_DATABASE_URL,
    registryPath:
      variables.AGENT_REGISTRY_PATH === undefined
        ? undefined
        : resolve(workingDirectory, variables.AGENT_REGISTRY_PATH),
    model: Object.freeze(model),
    captureContent: !/^(false|0)$/i.test(variables.OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT ?? ''),
    runtime,
    simulation,
  });
}

function readRuntime(variables: Variables, workingDirectory: string, fault: Fault): RuntimeConfig {
  const { workers, ...defaults } = runtimeDefaults;
  // One bound that is given moves the default of the other, so that setting one is enough.
  const max = variables.AOS_WORKERS_MAX ?? Math.max(workers.max, variables.AOS_WORKERS_MIN ?? 0);
  const min = variables.AOS_WORKERS_MIN ?? Math.min(workers.min, max);
  const identity =
    readIdentity(identityOf(variables, workingDirectory), isHosted(variables), fault) ?? defaults.identity;
  if (min > max) fault(`AOS_WORKERS_MIN must not be greater than AOS_WORKERS_MAX, but they are ${min} and ${max}`);
  return Object.freeze({
    maxRuns: variables.AOS_MAX_RUNS ?? defaults.maxRuns,
    workers: Object.freeze({ min, max }),
    retentionDays: variables.AOS_RETENTION_DAYS,
    callbackSecret: variables.AOS_CALLBACK_SECRET,
    auditKeyFile: variables.AOS_AUDIT_KEY_FILE,
    environment: variables.AOS_ENVIRONMENT ?? defaults.environment,
    fabricFile: variables.AOS_FABRIC_FILE,
    allowScrappy: variables.AOS_ALLOW_SCRAPPY ?? defaults.allowScrappy,
    allowUnregisteredAgents: variables.AOS_ALLOW_UNREGISTERED_AGENTS ?? defaults.allowUnregisteredAgents,
    allowPrivateCallbacks: variables.AOS_ALLOW_PRIVATE_CALLBACKS ?? defaults.allowPrivateCallbacks,
    rowSecurity: variables.AOS_ROW_SECURITY ?? defaults.rowSecurity,
    egress: readEgress(variables),
    pricesFile:
      variables.AOS_PRICES_FILE === undefined ? undefined : resolve(workingDirectory, variables.AOS_PRICES_FILE),
    governance: readGovernance(variables, workingDirectory),
    delegation: Object.freeze({
      maxDepth: variables.AOS_A2A_MAX_DEPTH ?? defaults.delegation.maxDepth,
      push: variables.AOS_A2A_PUSH ?? defaults.delegation.push,
    }),
    rateLimits: variables.AOS_RATE_LIMITS ?? (variables.AOS_ENVIRONMENT ?? defaults.environment) !== 'development',
    screening: readScreening(variables),
    identity: Object.freeze(identity),
    listenEverywhere: identity.mode !== 'off' || isHosted(variables) || variables.AOS_ALLOW_UNAUTHENTICATED === true,
  });
}

function readSimulation(variables: Variables, workingDirectory: string, fault: Fault): SimulationConfig | undefined {
  const { AOS_MODE: mode, AOS_SIMULATION_FILE: file, AOS_SIMULATION_SEED: seed, AOS_EGRESS: egress } = variables;
  if (mode !== 'simulation') {
    if (file !== undefined || seed !== undefined) {
      fault('AOS_SIMULATION_FILE and AOS_SIMULATION_SEED belong to AOS_MODE=simulation: set that, or unset them');
    }
    return undefined;
  }
  if (egress === 'observe' || egress === 'off') {
    fault(`AOS_EGRESS must not be ${egress} with AOS_MODE=simulation, from which nothing leaves: unset it`);
  }
  return Object.freeze({ seed, file: file === undefined ? undefined : resolve(workingDirectory, file) });
}

function readEgress(variables: Variables): EgressConfig {
  const { AOS_ENVIRONMENT: environment = runtimeDefaults.environment } = variables;
  return Object.freeze({
    mode: variables.AOS_EGRESS ?? (environment === 'development' ? 'observe' : 'guard'),
    allow: Object.freeze(variables.AOS_EGRESS_ALLOW ?? []),
    allowHttpFetch: variables.AOS_ALLOW_HTTP_FETCH ?? runtimeDefaults.egress.allowHttpFetch,
  });
}

function isHosted({ FOUNDRY_HOSTING_ENVIRONMENT: place }: Variables): boolean {
  return place !== undefined;
}

function identityOf(variables: Variables, workingDirectory: string): Variables {
  const { AOS_API_KEYS_FILE: file } = variables;
  return file === undefined ? variables : { ...variables, AOS_API_KEYS_FILE: resolve(workingDirectory, file) };
}

function readGovernance(variables: Variables, workingDirectory: string): GovernanceConfig {
  const { AOS_ENVIRONMENT: environment = runtimeDefaults.environment, AOS_POLICY_FILE: policy } = variables;
  const { AOS_RACI_FILE: raci } = variables;
  const file = (path: string | undefined) => (path === undefined ? undefined : resolve(workingDirectory, path));
  const enforced = environment !== 'development' || policy !== undefined || raci !== undefined;
  return Object.freeze({ enforced, policyFile: file(policy), raciFile: file(raci) });
}

/** Where the platform hosts it values do not get out unless somebody says so; what was said is the least there is. */
function readScreening({ AOS_SCREENING: said, FOUNDRY_HOSTING_ENVIRONMENT: hosted }: Variables): TenantScreening {
  const action = said ?? (hosted === undefined ? undefined : 'REDACT');
  return action === undefined ? noFloor : Object.freeze({ policy: { ...defaultPolicy, action }, floor: action });
}

type Fault = (message: string) => undefined;

/** Checks each variable by itself; faulty ones are left out of what is returned. */
function readVariables(env: Env, fault: Fault): Variables {
  const given = Object.fromEntries(Object.keys(environment.shape).map((name) => [name, setting(env, name)]));
  const parsed = environment.safeParse(given);
  if (parsed.success) return parsed.data;
  for (const issue of parsed.error.issues) {
    const name = String(issue.path[0]);
    fault(`${name} must be ${issue.message}, but it is ${masked(name, given[name] ?? '')}`);
    delete given[name];
  }
  return environment.parse(given);
}

function dataDirectory(variables: Variables, workingDirectory: string, fault: Fault): string | undefined {
  if (variables.AOS_DATA_DIR !== undefined) return resolve(workingDirectory, variables.AOS_DATA_DIR);
  if (variables.HOME !== undefined && isAbsolute(variables.HOME)) return join(variables.HOME, '.aos');
  return fault('AOS_DATA_DIR must name the folder to keep data in, because there is no HOME to put .aos into');
}

/** The model the variables name; without any, the simulated one. First match wins: forced, Azure, OpenAI, Foundry. */
function chooseModel(variables: Variables, fault: Fault): ModelConfig | undefined {
  switch (variables.AOS_MODEL_PROVIDER ?? providerInUse(variables)) {
    case 'azure':
      return azure(variables, fault);
    case 'openai':
      return openai(variables, fault);
    case 'openai-compatible':
      return openaiCompatible(variables, fault);
    case 'foundry':
      return foundry(variables, fault);
    case 'simulated':
      return {
        provider: 'simulated',
        firstTokenMs: variables.AOS_SIMULATED_FIRST_TOKEN_MS ?? 120,
        tokenMs: variables.AOS_SIMULATED_TOKEN_MS ?? 6,
      };
    case undefined:
      return fault(
        'AOS_MODEL names a model but nothing says where it is: set AZURE_OPENAI_ENDPOINT, OPENAI_API_KEY, OPENAI_BASE_URL or FOUNDRY_PROJECT_ENDPOINT, or unset AOS_MODEL to use the simulated model',
      );
  }
}

function providerInUse(variables: Variables): ModelProvider | undefined {
  const azureOpenAi: readonly VariableName[] = [
    'AZURE_OPENAI_ENDPOINT',
    'AZURE_OPENAI_API_KEY',
    'AZURE_OPENAI_DEPLOYMENT',
    'AZURE_OPENAI_DEPLOYMENT_NAME',
  ];
  if (azureOpenAi.some((name) => variables[name] !== undefined)) return 'azure';
  if (variables.OPENAI_BASE_URL !== undefined) return 'openai-compatible';
  if (variables.OPENAI_API_KEY !== undefined || variables.OPENAI_MODEL !== undefined) return 'openai';
  if (variables.AOS_MODEL === undefined) return 'simulated';
  // The platform sets FOUNDRY_PROJECT_ENDPOINT by itself: alone it does not ask for a model.
  return variables.FOUNDRY_PROJECT_ENDPOINT === undefined ? undefined : 'foundry';
}

function azure(variables: Variables, fault: Fault): ModelConfig | undefined {
  const endpoint = variables.AZURE_OPENAI_ENDPOINT;
  const deployment = variables.AZURE_OPENAI_DEPLOYMENT ?? variables.AZURE_OPENAI_DEPLOYMENT_NAME ?? variables.AOS_MODEL;
  const missing = [
    ...(endpoint === undefined ? ['AZURE_OPENAI_ENDPOINT (https://<resource>.openai.azure.com)'] : []),
    ...(deployment === undefined ? ['AZURE_OPENAI_DEPLOYMENT (the name of your model deployment)'] : []),
  ];
  if (endpoint === undefined || deployment === undefined) return half('Azure OpenAI', missing, fault);
  return {
    provider: 'azure',
    endpoint,
    deployment,
    apiVersion: variables.AZURE_OPENAI_API_VERSION,
    apiKey: variables.AZURE_OPENAI_API_KEY,
  };
}

function openai(variables: Variables, fault: Fault): ModelConfig | undefined {
  const apiKey = variables.OPENAI_API_KEY;
  if (apiKey === undefined) return half('OpenAI', ['OPENAI_API_KEY'], fault);
  return { provider: 'openai', model: variables.OPENAI_MODEL ?? variables.AOS_MODEL ?? DEFAULT_OPENAI_MODEL, apiKey };
}

function openaiCompatible(variables: Variables, fault: Fault): ModelConfig | undefined {
  const baseUrl = variables.OPENAI_BASE_URL;
  const model = variables.OPENAI_MODEL ?? variables.AOS_MODEL;
  const missing = [
    ...(baseUrl === undefined ? ['OPENAI_BASE_URL (for example http://localhost:11434/v1)'] : []),
    ...(model === undefined ? ['OPENAI_MODEL (which of the models served there)'] : []),
  ];
  if (baseUrl === undefined || model === undefined) return half('An OpenAI-compatible model', missing, fault);
  return { provider: 'openai-compatible', baseUrl, model, apiKey: variables.OPENAI_API_KEY };
}

function foundry(variables: Variables, fault: Fault): ModelConfig | undefined {
  const projectEndpoint = variables.FOUNDRY_PROJECT_ENDPOINT;
  const model = variables.AOS_MODEL;
  const missing = [
    ...(projectEndpoint === undefined ? ['FOUNDRY_PROJECT_ENDPOINT'] : []),
    ...(model === undefined ? ['AOS_MODEL (the name of your model deployment)'] : []),
  ];
  if (projectEndpoint === undefined || model === undefined) return half('Foundry', missing, fault);
  return { provider: 'foundry', projectEndpoint, model };
}

function half(what: string, missing: readonly string[], fault: Fault): undefined {
  return fault(
    `${what} is half configured: also set ${missing.join(' and ')}, or AOS_MODEL_PROVIDER=simulated to run without a model`,
  );
}

/** The value as it may be shown: keys never, passwords in addresses neither. */
function masked(name: string, value: string): string {
  if (/KEY|SECRET|TOKEN$|PASSWORD/.test(name)) return '(hidden)';
  return JSON.stringify(value.replace(/(:\/\/[^\s:/@]*:)[^\s@]*@/, '$1***@'));
}
