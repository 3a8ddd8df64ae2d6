import { createServer } from 'node:net';
import { describe, expect, test } from 'vitest';
import { type FixtureEnv, launchFixture, until, useFixture, withFixture } from './fixture-process.ts';
import { says } from './log-record.ts';
import { SEGMENT } from './protocol-checks.ts';
import { verifies } from './verifies.ts';
import { get, post } from './wire.ts';

/** Starts a fixture that is meant to fail, and gives its exit code and what it printed. */
async function failedStart(env: FixtureEnv, name = 'echo'): Promise<{ code: number | null; output: string }> {
  const fixture = await launchFixture(name, env);
  const { code } = await fixture.exit;
  const output = fixture.output();
  await fixture.dispose();
  return { code, output };
}

async function expectRefusal(variable: string, value: string): Promise<void> {
  const { code, output } = await failedStart({ [variable]: value }, 'wsecho');
  expect(code, output).not.toBe(0);
  expect(code).not.toBe(null);
  const line = output.split('\n').find((text) => text.includes(variable));
  expect(line, output).toContain(value);
}

describe('variables that must be numbers', { concurrent: true }, () => {
  test.for(['abc', '0', '65536', '-1', '80.5', '0x50', '8088a', '1e3', '99999999999999999999', 'NaN'])(
    'PORT %s fails the start and is named',
    verifies('env:port:bad-value', 'env:one-clear-line'),
    async (value) => {
      await expectRefusal('PORT', value);
    },
  );

  test.for(['abc', '1.5', '10s', '0x10', 'NaN', 'Infinity', '1e2'])(
    'SSE_KEEPALIVE_INTERVAL %s fails the start and is named',
    verifies('env:sse-keepalive:bad-value', 'env:one-clear-line'),
    async (value) => {
      await expectRefusal('SSE_KEEPALIVE_INTERVAL', value);
    },
  );

  test.for(['abc', '-1', '-0.5', 'NaN', 'inf', 'Infinity', '-Infinity', '5s', '1,5'])(
    'WS_KEEPALIVE_INTERVAL %s fails the start and is named',
    verifies('env:ws-keepalive:bad-value', 'env:one-clear-line'),
    async (value) => {
      await expectRefusal('WS_KEEPALIVE_INTERVAL', value);
    },
  );

  test('the refusal is one line for a person, not a stack', verifies('env:one-clear-line'), async () => {
    const { code, output } = await failedStart({ PORT: 'eighty' });
    expect(code).not.toBe(0);
    const naming = output.split('\n').filter((line) => line.includes('eighty'));
    expect(naming.length).toBe(1);
    expect(output).not.toMatch(/node_modules|\n\s+at .*src\/host/);
  });

  test('an unknown fixture ends with 2', verifies('env:lenient'), async () => {
    for (const name of ['no-such', '', 'constructor', 'toString']) expect((await failedStart({}, name)).code).toBe(2);
  });

  test(
    'a port that is taken fails the start in one clear line',
    verifies('env:port:taken', 'env:one-clear-line'),
    async () => {
      const holder = createServer();
      const port = await new Promise<number>((resolve) =>
        holder.listen(0, '0.0.0.0', () => resolve((holder.address() as { port: number }).port)),
      );
      const { code, output } = await failedStart({ PORT: String(port) });
      holder.close();
      expect(code).not.toBe(0);
      expect(output.split('\n').filter((line) => line.includes(String(port)) && /in use/.test(line)).length).toBe(1);
    },
  );

  test('PORT unset means 8088', verifies('host:port:default'), async () => {
    const fixture = await launchFixture('echo', { PORT: '' });
    // Another program may hold 8088 here; either way the port meant is told.
    await until(
      () => (/\b8088\b/.test(fixture.output()) ? true : undefined),
      () => `8088 is not named in:\n${fixture.output()}`,
    );
    await fixture.dispose();
  });
});

describe('values that are no fault', () => {
  test(
    'none of them fails the start',
    verifies(
      'env:lenient',
      'env:sse-keepalive:negative',
      'env:ws-keepalive:off',
      'env:ws-keepalive:fraction',
      'startup:telemetry-fault',
    ),
    async () => {
      const envs: FixtureEnv[] = [
        { SSE_KEEPALIVE_INTERVAL: '-3', WS_KEEPALIVE_INTERVAL: '0.25' },
        { SSE_KEEPALIVE_INTERVAL: '0', WS_KEEPALIVE_INTERVAL: '0' },
        { SSE_KEEPALIVE_INTERVAL: '', WS_KEEPALIVE_INTERVAL: '' },
        { SSE_KEEPALIVE_INTERVAL: '86400', WS_KEEPALIVE_INTERVAL: '1e1' },
        {
          AGENTSERVER_SHUTDOWN_GRACE_SECONDS: 'garbage',
          AGENTSERVER_FLUSH_MODE: 'garbage',
          FOUNDRY_AGENT365_TRACING_ENABLED: 'garbage',
          OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: 'garbage',
          FOUNDRY_AGENT_SESSION_ID: 'not valid / at all',
          FOUNDRY_PROJECT_ENDPOINT: 'no url',
          FOUNDRY_HOSTING_ENVIRONMENT: 'x',
        },
        {
          AGENTSERVER_SHUTDOWN_GRACE_SECONDS: '-5',
          FOUNDRY_AGENT365_TRACING_ENABLED: 'true',
          FOUNDRY_HOSTING_ENVIRONMENT: '1',
        },
        { OTEL_EXPORTER_OTLP_ENDPOINT: 'not a url' },
        { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9', OTEL_EXPORTER_OTLP_PROTOCOL: 'carrier-pigeon' },
        {
          OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9',
          OTEL_TRACES_SAMPLER: 'garbage',
          OTEL_TRACES_SAMPLER_ARG: 'x',
        },
        { APPLICATIONINSIGHTS_CONNECTION_STRING: 'garbage' },
      ];
      await Promise.all(
        envs.map((env) =>
          withFixture('wsecho', env, async (fixture) => {
            expect((await post(fixture.port, '/invocations', { body: 'up' })).text).toBe('up');
          }),
        ),
      );
    },
  );

  test('a telemetry set-up that fails is a warning', verifies('startup:telemetry-fault'), async () => {
    await withFixture('echo', { APPLICATIONINSIGHTS_CONNECTION_STRING: 'garbage' }, async (fixture) => {
      await fixture.record(
        ({ level, line }) => level === 'WARNING' && /telemetry|monitor|insights/i.test(line),
        'warning of telemetry',
      );
      expect(fixture.records().filter(({ level }) => level === 'ERROR' || level === 'CRITICAL')).toEqual([]);
    });
  });
});

describe('the start, with nothing set', () => {
  const bare = useFixture('echo');

  test(
    'tells what there is to know, one INFO line each',
    verifies(
      'startup:openapi-flag',
      'startup:listening',
      'startup:platform',
      'startup:connectivity',
      'startup:host-options',
      'startup:placeholders',
      'env:port',
    ),
    async () => {
      const { port } = bare();
      const options = await bare().record(
        (record) => /shutdown/i.test(record.message) && record.line.includes('aos-agent-server/'),
        'of host options',
      );
      const records = bare().records();
      const info = (matches: (line: string) => boolean) => {
        const found = records.filter((record) => matches(record.line));
        expect(found.map(({ level }) => level)).toEqual(['INFO']);
        return found[0] ?? expect.fail('unreachable');
      };
      expect(
        says(
          info((line) => line.includes('openapi_spec_configured')),
          'openapi_spec_configured',
          'false',
        ),
      ).toBe(true);
      info((line) => line.includes(`0.0.0.0:${port}`) && /starting/i.test(line));
      info((line) => line.includes(`0.0.0.0:${port}`) && /started/i.test(line));
      const platform = info((line) => line.includes('is_hosted'));
      for (const [name, value] of [
        ['is_hosted', 'false'],
        ['agent_name', '(not set)'],
        ['agent_version', '(not set)'],
        ['port', String(port)],
        ['session_id', '(not set)'],
        ['sse_keepalive_interval', 'disabled'],
        ['ws_ping_interval', 'disabled'],
      ] as const) {
        expect(says(platform, name, value), `${name}=${value} in ${platform.line}`).toBe(true);
      }
      const connectivity = info((line) => line.includes('project_endpoint') || /connectivity/i.test(line));
      expect(says(connectivity, 'project_endpoint', '(not set)')).toBe(true);
      expect(says(connectivity, 'otlp_endpoint', '(not set)')).toBe(true);
      expect(connectivity.line).toMatch(/insights\W+false/i);
      expect(options.level).toBe('INFO');
      expect(options.line).toMatch(/timeout\D{0,5}30(\.0)?s?\b/);
      expect(options.line).toMatch(/aos-agent-server\/\S+ \(node\/\d+\.\d+\)/);
      const answer = await get(port, '/readiness');
      expect(answer.header('x-platform-server')).toMatch(SEGMENT);
      expect(options.line).toContain(answer.header('x-platform-server') ?? '-');
    },
  );
});

describe('the start, with everything set', () => {
  const secrets = ['s3cret-path', 's3cret-query', 's3cret-user', 's3cret-key', 's3cret-header'];
  const full = useFixture('spec', {
    FOUNDRY_AGENT_NAME: 'parcel-tracker',
    FOUNDRY_AGENT_VERSION: '7',
    FOUNDRY_AGENT_SESSION_ID: 'env-session',
    FOUNDRY_HOSTING_ENVIRONMENT: 'foundry',
    FOUNDRY_PROJECT_ENDPOINT:
      'https://s3cret-user:s3cret-key@project.example:8443/s3cret-path/x?key=s3cret-query#s3cret-path',
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9/s3cret-path?x=s3cret-query',
    OTEL_EXPORTER_OTLP_HEADERS: 'authorization=s3cret-header',
    APPLICATIONINSIGHTS_CONNECTION_STRING:
      'InstrumentationKey=00000000-1111-2222-3333-s3cret-key;IngestionEndpoint=http://127.0.0.1:9/s3cret-path',
    SSE_KEEPALIVE_INTERVAL: '15',
    WS_KEEPALIVE_INTERVAL: '2.5',
    FIXTURE_SHUTDOWN_TIMEOUT: '7',
  });

  test(
    'tells it all and gives no secret away',
    verifies(
      'startup:no-secrets',
      'startup:connectivity',
      'startup:platform',
      'startup:openapi-flag',
      'startup:host-options',
    ),
    async () => {
      const options = await full().record(
        (record) => /shutdown/i.test(record.message) && record.line.includes('aos-agent-server/'),
        'of host options',
      );
      const find = (word: string) =>
        full()
          .records()
          .find(({ line }) => line.includes(word)) ?? expect.fail(`no record of ${word}`);
      expect(says(find('openapi_spec_configured'), 'openapi_spec_configured', 'true')).toBe(true);
      const platform = find('is_hosted');
      for (const [name, value] of [
        ['is_hosted', 'true'],
        ['agent_name', 'parcel-tracker'],
        ['agent_version', '7'],
        ['session_id', 'env-session'],
      ] as const) {
        expect(says(platform, name, value), `${name}=${value} in ${platform.line}`).toBe(true);
      }
      expect(platform.line).toMatch(/sse_keepalive_interval\W{1,3}15s?\b/);
      expect(platform.line).toMatch(/ws_ping_interval\W{1,3}2\.5s?\b/);
      const connectivity = find('project_endpoint');
      expect(says(connectivity, 'project_endpoint', 'https://project.example:8443')).toBe(true);
      expect(says(connectivity, 'otlp_endpoint', 'http://127.0.0.1:9')).toBe(true);
      expect(connectivity.line).toMatch(/insights\W+true/i);
      expect(options.line).toMatch(/timeout\D{0,5}7(\.0)?s?\b/);
      await post(full().port, '/invocations?token=s3cret-query', { body: 'x' });
      await full().record(
        ({ message }) => /completed/i.test(message) && message.includes('/invocations'),
        'of the POST',
      );
      for (const secret of secrets) expect(full().output()).not.toContain(secret);
    },
  );

  test('endpoints that are none are redacted', verifies('startup:placeholders', 'startup:no-secrets'), async () => {
    await withFixture(
      'echo',
      { FOUNDRY_PROJECT_ENDPOINT: 's3cret no url', OTEL_EXPORTER_OTLP_ENDPOINT: '::s3cret::' },
      async (fixture) => {
        const record = await fixture.record(({ line }) => line.includes('project_endpoint'), 'of connectivity');
        expect(says(record, 'project_endpoint', '(redacted)')).toBe(true);
        expect(says(record, 'otlp_endpoint', '(redacted)')).toBe(true);
        expect(fixture.output()).not.toContain('s3cret');
      },
    );
  });
});
