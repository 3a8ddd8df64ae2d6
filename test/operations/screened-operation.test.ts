/** Words of people that no run is made of: screened before the operation that takes them is performed. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/core/json.ts';
import { type ApiClient, createApiClient } from '../support/api.ts';
import { startTestContainer, type TestContainer } from '../support/container.ts';

let container: TestContainer;
let api: ApiClient;

const redacting = { 'x-tenant-id': 'redacting' };
const blocking = { 'x-tenant-id': 'blocking' };
const SAID = 'Card 4111 1111 1111 1111 of jo@example.com';
const KEPT = 'Card [CARD] of [EMAIL]';

beforeAll(async () => {
  container = await startTestContainer();
  api = createApiClient(container.url);
  for (const [headers, action] of [
    [redacting, 'REDACT'],
    [blocking, 'BLOCK'],
  ] as const) {
    await api.call('PUT', '/api/v1/governance/documents/screening', { body: { document: { action } }, headers });
  }
});
afterAll(() => container?.[Symbol.asyncDispose]());

describe('words', () => {
  test('of a document of the knowledge base are kept with tokens', async () => {
    const document = { title: SAID, doc_type: 'note', content: { by: { mail: 'jo@example.com' } } };
    const { body } = await api.post('/api/knowledge/documents', document, redacting);
    expect(body).toMatchObject({ title: KEPT, content: { by: { mail: '[EMAIL]' } } });
  });

  test('of a document of a session are kept with tokens, and refused where they are blocked', async () => {
    const path = '/api/v1/aoa/sessions/board/documents';
    const document = { title: 'Note', content: `${SAID} plus` };
    expect((await api.post(path, document, redacting)).status).toBe(201);
    const { body } = await api.get(`${path}/search?q=plus`, redacting);
    expect((body['items'] as JsonObject[])[0]?.['passage']).toBe(`${KEPT} plus`);
    const refused = await api.post(path, document, blocking);
    expect(refused).toMatchObject({ status: 422, body: { code: 'PII_BLOCKED', scan: { match_count: 2 } } });
    expect(JSON.stringify(refused.body)).not.toMatch(/4111 1111|jo@/);
  });

  test('of whoever decides about an approval are screened before anything else', async () => {
    const refused = await api.post('/api/v1/approvals/none/approve', { notes: SAID }, blocking);
    expect(refused.body).toMatchObject({ code: 'PII_BLOCKED' });
  });

  test('of whoever ends a run are kept with tokens', async () => {
    const submitted = await api.post('/api/orchestrations', { agent_ids: ['ceo'], purpose: 'Watch' }, redacting);
    const id = submitted.body['orchestration_id'];
    await api.post(`/api/v1/aoa/runs/${id}/cancel`, { reason: SAID }, redacting);
    const read = async () => JSON.stringify((await api.get(`/api/v1/aoa/runs/${id}/events`, redacting)).body);
    await expect.poll(read, { timeout: 10_000 }).toMatch(/run\.cancelled/);
    expect(await read()).toContain(KEPT);
    expect(await read()).not.toMatch(/4111 1111|jo@/);
  });

  test('that fit no form are refused for that', async () => {
    const { status, body } = await api.post('/api/knowledge/documents', { title: 1, content: { a: SAID } }, blocking);
    expect([status, body['code']]).not.toContain('PII_BLOCKED');
  });
});

test('what was found of a tenant is counted', async () => {
  const path = '/api/v1/governance/screening/statistics';
  const { body } = await api.get(path, redacting);
  expect(body).toMatchObject({ tenant_id: 'redacting', default_policy: 'REDACT', blocks: 0 });
  expect(Number(body['redactions'])).toBeGreaterThan(2);
  expect(Number(body['total_scans'])).toBeGreaterThanOrEqual(Number(body['pii_detections']));
  expect((await api.get(path, { 'x-tenant-id': 'nobody' })).body).toMatchObject({
    total_scans: 0,
    detection_rate: null,
    default_policy: 'WARN',
  });
});
