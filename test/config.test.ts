import { describe, expect, test } from 'vitest';
import { ConfigError, readConfig, runtimeDefaults } from '../src/config.ts';

const HOME = { HOME: '/home/session' };

function faultsOf(env: Record<string, string>): readonly string[] {
  try {
    readConfig(env, '/srv/app');
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  throw new Error('the environment was accepted');
}

describe('the folder, the database and the registry', () => {
  test.each([
    [{}, '/home/session/.aos'],
    [{ AOS_DATA_DIR: '/data' }, '/data'],
    [{ AOS_DATA_DIR: 'data/here' }, '/srv/app/data/here'],
    [{ AOS_DATA_DIR: '  ' }, '/home/session/.aos'],
  ])('%j keeps data in %s', (env, folder) => {
    expect(readConfig({ ...HOME, ...env }, '/srv/app').dataDir).toBe(folder);
  });

  test('without a home the folder must be named', () => {
    expect(faultsOf({})).toEqual([expect.stringContaining('AOS_DATA_DIR must name the folder to keep data in')]);
    expect(readConfig({ AOS_DATA_DIR: '/data' }, '/').dataDir).toBe('/data');
  });

  test('a database address and a registry file are taken as given', () => {
    const url = 'postgres://aos:secret@db.example.com:5432/aos';
    const config = readConfig({ ...HOME, AOS_DATABASE_URL: url, AGENT_REGISTRY_PATH: 'mine.json' }, '/srv/app');
    expect(config).toMatchObject({ databaseUrl: url, registryPath: '/srv/app/mine.json' });
    expect(readConfig(HOME, '/')).toMatchObject({ databaseUrl: undefined, registryPath: undefined });
  });

  test('a simulation has a folder of its own, a seed and a scenario', () => {
    const env = { AOS_MODE: 'Simulation', AOS_SIMULATION_SEED: 's', AOS_SIMULATION_FILE: 'bad.json' };
    expect(readConfig({ ...HOME, ...env }, '/srv/app')).toMatchObject({
      dataDir: '/home/session/.aos/simulation',
      simulation: { seed: 's', file: '/srv/app/bad.json' },
    });
    expect(readConfig(HOME, '/').simulation).toBeUndefined();
  });

  test('the configuration cannot be changed afterwards', () => {
    const config = readConfig(HOME, '/');
    expect(Object.isFrozen(config) && Object.isFrozen(config.model)).toBe(true);
  });
});

describe('the runtime', () => {
  const runtimeOf = (env: Record<string, string>) => readConfig({ ...HOME, ...env }, '/').runtime;

  test('works with nothing set', () => {
    expect(runtimeOf({})).toEqual(runtimeDefaults);
  });

  test.each<[Record<string, string>, object]>([
    [{ AOS_MAX_RUNS: '8' }, { maxRuns: 8 }],
    [{ AOS_WORKERS_MIN: '2', AOS_WORKERS_MAX: '4' }, { workers: { min: 2, max: 4 } }],
    [{ AOS_WORKERS_MIN: '20' }, { workers: { min: 20, max: 20 } }],
    [{ AOS_RETENTION_DAYS: '30' }, { retentionDays: 30 }],
    [{ AOS_CALLBACK_SECRET: 'sixteen-letters!' }, { callbackSecret: 'sixteen-letters!' }],
    [{ AOS_AUDIT_KEY_FILE: '/run/secrets/audit.pem' }, { auditKeyFile: '/run/secrets/audit.pem' }],
    [{ AOS_SCREENING: 'block' }, { screening: { policy: { action: 'BLOCK' }, floor: 'BLOCK' } }],
    [{ FOUNDRY_HOSTING_ENVIRONMENT: 'hosted' }, { screening: { policy: { action: 'REDACT' }, floor: 'REDACT' } }],
    [
      { FOUNDRY_HOSTING_ENVIRONMENT: 'hosted', AOS_SCREENING: 'WARN' },
      { screening: { policy: { action: 'WARN' }, floor: 'WARN' } },
    ],
    [{ AOS_ALLOW_UNREGISTERED_AGENTS: '1' }, { allowUnregisteredAgents: true }],
    [{ AOS_ALLOW_PRIVATE_CALLBACKS: 'on' }, { allowPrivateCallbacks: true }],
    [{ AOS_ALLOW_PRIVATE_CALLBACKS: 'False' }, { allowPrivateCallbacks: false }],
    [{ AOS_ROW_SECURITY: 'Off' }, { rowSecurity: 'off' }],
    [{ AOS_ENVIRONMENT: 'production' }, { egress: { mode: 'guard' }, rateLimits: true }],
    [{ AOS_ENVIRONMENT: 'production', AOS_RATE_LIMITS: 'off' }, { rateLimits: false }],
    [{ AOS_RATE_LIMITS: 'on' }, { rateLimits: true }],
    [{ AOS_ENVIRONMENT: 'production', AOS_EGRESS: 'Observe' }, { egress: { mode: 'observe' } }],
    [{ AOS_ALLOW_HTTP_FETCH: 'on' }, { egress: { allowHttpFetch: true } }],
    [
      { AOS_EGRESS_ALLOW: 'proxy.example.com:3128, *.example.org [fd00::1]:443' },
      {
        egress: {
          allow: [
            { part: 'operator', host: 'proxy.example.com', port: 3128 },
            { part: 'operator', host: '*.example.org' },
            { part: 'operator', host: 'fd00::1', port: 443 },
          ],
        },
      },
    ],
  ])('%j is %j', (env, expected) => {
    expect(runtimeOf(env)).toMatchObject(expected);
  });

  test.each<[Record<string, string>, string]>([
    [{ AOS_MAX_RUNS: '0' }, 'AOS_MAX_RUNS must be a whole number of runs from 1 to 10000, but it is "0"'],
    [{ AOS_RETENTION_DAYS: 'a month' }, 'AOS_RETENTION_DAYS must be a whole number of days from 1 to 36500'],
    [{ AOS_CALLBACK_SECRET: 'short' }, 'AOS_CALLBACK_SECRET must be at least 16 characters, but it is (hidden)'],
    [
      { AOS_MODE: 'simulaton' },
      'AOS_MODE must be one of live, simulation (did you mean simulation?), but it is "simulaton"',
    ],
    [{ AOS_SIMULATION_SEED: 'x' }, 'belong to AOS_MODE=simulation'],
    [{ AOS_MODE: 'simulation', AOS_EGRESS: 'off' }, 'AOS_EGRESS must not be off with AOS_MODE=simulation'],
    [{ AOS_EGRESS: 'gard' }, 'AOS_EGRESS must be one of guard, observe, off (did you mean guard?), but it is "gard"'],
    [{ AOS_EGRESS_ALLOW: 'https://x' }, 'AOS_EGRESS_ALLOW must be places such as proxy.example.com:3128'],
    [{ AOS_ALLOW_UNREGISTERED_AGENTS: 'maybe' }, 'AOS_ALLOW_UNREGISTERED_AGENTS must be on or off'],
    [{ AOS_WORKERS_MIN: '5', AOS_WORKERS_MAX: '2' }, 'AOS_WORKERS_MIN must not be greater than AOS_WORKERS_MAX'],
  ])('%j is refused', (env, fault) => {
    expect(faultsOf({ ...HOME, ...env })).toEqual([expect.stringContaining(fault)]);
  });
});

const AZURE = { AZURE_OPENAI_ENDPOINT: 'https://r.openai.azure.com' };
const PROJECT = { FOUNDRY_PROJECT_ENDPOINT: 'https://r.services.ai.azure.com/api/projects/p' };

describe('the model that the environment names', () => {
  test.each<[string, Record<string, string>, object]>([
    ['nothing: the simulated one', {}, { provider: 'simulated' }],
    ['what the platform sets by itself is no model', PROJECT, { provider: 'simulated' }],
    [
      'Azure OpenAI with a key',
      { ...AZURE, AZURE_OPENAI_API_KEY: 'k', AZURE_OPENAI_DEPLOYMENT: 'd', AZURE_OPENAI_API_VERSION: '2025-01-01' },
      {
        provider: 'azure',
        endpoint: AZURE.AZURE_OPENAI_ENDPOINT,
        deployment: 'd',
        apiKey: 'k',
        apiVersion: '2025-01-01',
      },
    ],
    [
      'Azure OpenAI without a key signs in with Entra',
      { ...AZURE, AZURE_OPENAI_DEPLOYMENT_NAME: 'd' },
      { provider: 'azure', deployment: 'd', apiKey: undefined },
    ],
    ['AOS_MODEL names the deployment too', { ...AZURE, AOS_MODEL: 'm' }, { provider: 'azure', deployment: 'm' }],
    ['OpenAI by its key alone', { OPENAI_API_KEY: 'k' }, { provider: 'openai', apiKey: 'k', model: 'gpt-5-mini' }],
    ['OpenAI with a model', { OPENAI_API_KEY: 'k', OPENAI_MODEL: 'm' }, { provider: 'openai', model: 'm' }],
    [
      'anything that speaks OpenAI',
      { OPENAI_BASE_URL: 'http://localhost:11434/v1', OPENAI_MODEL: 'qwen' },
      { provider: 'openai-compatible', baseUrl: 'http://localhost:11434/v1', model: 'qwen', apiKey: undefined },
    ],
    [
      'a Foundry project',
      { ...PROJECT, AOS_MODEL: 'm' },
      { provider: 'foundry', projectEndpoint: PROJECT.FOUNDRY_PROJECT_ENDPOINT, model: 'm' },
    ],
    ['Azure wins over OpenAI', { ...AZURE, AOS_MODEL: 'm', OPENAI_API_KEY: 'k' }, { provider: 'azure' }],
    ['OpenAI wins over the project', { ...PROJECT, AOS_MODEL: 'm', OPENAI_API_KEY: 'k' }, { provider: 'openai' }],
    [
      'the provider can be forced',
      { ...PROJECT, AOS_MODEL: 'm', OPENAI_API_KEY: 'k', AOS_MODEL_PROVIDER: 'Foundry' },
      { provider: 'foundry' },
    ],
    ['simulation can be forced', { OPENAI_API_KEY: 'k', AOS_MODEL_PROVIDER: 'simulated' }, { provider: 'simulated' }],
    [
      'simulation has a pace',
      { AOS_SIMULATED_FIRST_TOKEN_MS: '0', AOS_SIMULATED_TOKEN_MS: '25' },
      { provider: 'simulated', firstTokenMs: 0, tokenMs: 25 },
    ],
  ])('%s', (_title, env, model) => {
    expect(readConfig({ ...HOME, ...env }, '/').model).toMatchObject(model);
  });

  test.each<[Record<string, string>, string]>([
    [AZURE, 'Azure OpenAI is half configured: also set AZURE_OPENAI_DEPLOYMENT'],
    [
      { AZURE_OPENAI_API_KEY: 'k' },
      'also set AZURE_OPENAI_ENDPOINT (https://<resource>.openai.azure.com) and AZURE_OPENAI_DEPLOYMENT',
    ],
    [{ OPENAI_BASE_URL: 'http://localhost:1/v1' }, 'also set OPENAI_MODEL'],
    [{ OPENAI_MODEL: 'm' }, 'OpenAI is half configured: also set OPENAI_API_KEY'],
    [{ AOS_MODEL_PROVIDER: 'foundry' }, 'also set FOUNDRY_PROJECT_ENDPOINT and AOS_MODEL'],
    [{ AOS_MODEL: 'm' }, 'AOS_MODEL names a model but nothing says where it is'],
  ])('%j is half a configuration, and the message says what is missing', (env, message) => {
    expect(faultsOf({ ...HOME, ...env })).toEqual([expect.stringContaining(message)]);
  });
});

describe('faults', () => {
  test.each<[Record<string, string>, string]>([
    [
      { AOS_DATABASE_URL: 'mysql://db' },
      'AOS_DATABASE_URL must be a PostgreSQL address such as postgres://user:password@host:5432/database, but it is "mysql://db"',
    ],
    [
      { AOS_DATABASE_URL: 'mysql://u:hunter2@db/x' },
      'AOS_DATABASE_URL must be a PostgreSQL address such as postgres://user:password@host:5432/database, but it is "mysql://u:***@db/x"',
    ],
    [
      { AOS_MODEL_PROVIDER: 'azur' },
      'AOS_MODEL_PROVIDER must be one of azure, openai, openai-compatible, foundry, simulated (did you mean azure?), but it is "azur"',
    ],
    [
      { AOS_SIMULATED_TOKEN_MS: '-1' },
      'AOS_SIMULATED_TOKEN_MS must be whole milliseconds from 0 to 60000, but it is "-1"',
    ],
    [
      { AZURE_OPENAI_ENDPOINT: 'r.openai.azure.com' },
      'AZURE_OPENAI_ENDPOINT must be an http(s) address such as https://name.example.com, but it is "r.openai.azure.com"',
    ],
  ])('%j names the variable, what was expected and what came', (env, message) => {
    expect(faultsOf({ ...HOME, ...env })).toEqual([message]);
  });

  test('all are reported together, each once', () => {
    const error = new ConfigError(
      faultsOf({ AOS_DATABASE_URL: 'x', OPENAI_BASE_URL: 'y', AOS_SIMULATED_TOKEN_MS: 'z' }),
    );
    expect(error.faults).toHaveLength(4);
    expect(error.message.split('\n')).toEqual(error.faults);
  });

  test('a key is never shown', () => {
    expect(faultsOf({ ...HOME, OPENAI_API_KEY: 'sk-secret', OPENAI_BASE_URL: 'nowhere' }).join()).not.toContain(
      'secret',
    );
  });
});
