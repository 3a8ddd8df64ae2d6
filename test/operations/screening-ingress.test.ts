/** Personal data at the entrances of a whole container whose tenants want it warned about, redacted or blocked. */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/core/json.ts';
import { type ApiClient, createApiClient } from '../support/api.ts';
import { startTestContainer, type TestContainer } from '../support/container.ts';
import { allEvents, post } from '../support/invocations.ts';

let container: TestContainer;
let api: ApiClient;

const tenantOf = (name: string) => ({ 'x-tenant-id': name });
const CARD = '4111 1111 1111 1111';
const RAW = /4111 ?1111|jo@example/;

beforeAll(async () => {
  container = await startTestContainer();
  api = createApiClient(container.url);
  for (const action of ['WARN', 'REDACT', 'BLOCK']) {
    const body = { document: { action } };
    const set = await api.call('PUT', '/api/v1/governance/documents/screening', {
      body,
      headers: tenantOf(action.toLowerCase()),
    });
    expect(set.status).toBe(200);
  }
});
afterAll(() => container?.[Symbol.asyncDispose]());

async function stored(like: string): Promise<number> {
  const client = new pg.Client({ connectionString: container.databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query<{ name: string }>(
      "select tablename as name from pg_tables where schemaname = 'aos'",
    );
    let count = 0;
    for (const { name } of rows) {
      const found = await client.query(
        `select count(*)::int as n from aos.${name} t where row_to_json(t)::text like '%' || $1 || '%'`,
        [like],
      );
      count += found.rows[0].n;
    }
    return count;
  } finally {
    await client.end();
  }
}

async function audited(tenant: string, action: string): Promise<JsonObject[]> {
  const { body } = await api.get(`/api/v1/aoa/audit?action=${action}&limit=50`, tenantOf(tenant));
  return (body['items'] ?? []) as JsonObject[];
}

const entrances = [
  {
    what: 'an orchestration',
    path: '/api/orchestrations',
    body: (said: string) => ({ agent_ids: ['ceo'], workflow: 'sequential', task: { type: 'review', note: said } }),
  },
  {
    what: 'a task',
    path: '/api/v1/aoa/tasks',
    body: (said: string) => ({ task_type: 'agent_run', agent_id: 'cfo', payload: { input: said } }),
  },
  {
    what: 'a job',
    path: '/api/v1/aoa/jobs',
    body: (said: string) => ({
      name: 'daily',
      schedule: { schedule_type: 'interval', interval_seconds: 86_400 },
      task_type: 'agent_run',
      agent_id: 'cfo',
      payload: { input: said },
    }),
  },
];

describe.each(entrances)('$what', ({ path, body }) => {
  test('is refused where personal data are blocked, with the scan and without a value', async () => {
    const said = `blocked-${path.length} card ${CARD} of jo@example.com`;
    const refused = await api.post(path, body(said), tenantOf('block'));
    expect(refused.status).toBe(422);
    expect(refused.body).toMatchObject({
      code: 'PII_BLOCKED',
      scan: { policy_action_taken: 'blocked', pii_types_found: ['credit_card', 'email'], tenant_id: 'block' },
    });
    expect(JSON.stringify(refused.body)).not.toMatch(RAW);
    expect(await stored(`blocked-${path.length}`)).toBe(0);
  });

  test('goes on with tokens where they are redacted, and no table holds the value', async () => {
    const said = `redacted-${path.length} card ${CARD} of jo@example.com`;
    const taken = await api.post(path, body(said), tenantOf('redact'));
    expect(taken.status).toBeLessThan(300);
    expect(await stored(`redacted-${path.length} card [CARD] of [EMAIL]`)).toBeGreaterThan(0);
    expect(await stored(`redacted-${path.length} card 4111`)).toBe(0);
  });

  test('goes on as it is where they are only warned about', async () => {
    const said = `warned-${path.length} card ${CARD}`;
    expect((await api.post(path, body(said), tenantOf('warn'))).status).toBeLessThan(300);
    expect(await stored(said)).toBeGreaterThan(0);
  });
});

test('the same work sent again is the same work, though other words were kept of it', async () => {
  const body = { orchestration_id: 'again', agent_ids: ['ceo'], task: { note: `card ${CARD}` } };
  const first = await api.post('/api/orchestrations', body, tenantOf('redact'));
  const second = await api.post('/api/orchestrations', body, tenantOf('redact'));
  expect([first.status, second.status]).toEqual([202, 202]);
  const other = { ...body, task: { note: 'card 5555 5555 5555 4444' } };
  expect((await api.post('/api/orchestrations', other, tenantOf('redact'))).status).toBe(409);
});

test('what was found is told in the audit log of the tenant, by kinds and places', async () => {
  for (const [tenant, action] of [
    ['warn', 'PII_WARN'],
    ['redact', 'PII_REDACT'],
    ['block', 'PII_BLOCK'],
  ] as const) {
    await expect.poll(async () => (await audited(tenant, action)).length, { timeout: 10_000 }).toBeGreaterThan(2);
    const entries = await audited(tenant, action);
    expect(entries.some((entry) => (entry['details'] as JsonObject)['direction'] === 'in')).toBe(true);
    expect(JSON.stringify(entries)).not.toMatch(RAW);
  }
});

test('a chat over the invocations door is screened as any work', async () => {
  await using blocking = await startTestContainer({
    runtime: {
      screening: {
        policy: { action: 'BLOCK', types: ['credit_card'], threshold: 0.7, allowed: [], regions: [] },
        floor: 'BLOCK',
      },
    },
  });
  const refused = await post(`${blocking.url}/invocations`, { message: `My card is ${CARD}` });
  expect(refused.status).toBe(422);
  const said = JSON.stringify(await refused.json());
  expect(said).toMatch(/credit_card/);
  expect(said).not.toMatch(RAW);
  const fine = await allEvents(
    post(`${blocking.url}/invocations`, { message: 'Write to jo@example.com' }, { accept: 'text/event-stream' }),
  );
  expect(fine.at(-1)?.type).toBe('run.completed');
});
