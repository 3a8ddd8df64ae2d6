import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/core/json.ts';
import { severityOf } from '../../src/operations/risk.ts';
import { type ApiClient, createApiClient } from '../support/api.ts';
import { startTestContainer, type TestContainer } from '../support/container.ts';

describe('the severity of a risk', () => {
  test.each([
    [1, 0.8, 'critical'],
    [0.79, 1, 'high'],
    [0.6, 1, 'high'],
    [0.3, 1, 'medium'],
    [0.1, 1, 'low'],
    [0.09, 1, 'info'],
    [0, 0, 'info'],
  ])('at likelihood %d and impact %d is %s', (likelihood, impact, severity) => {
    expect(severityOf(likelihood, impact)).toBe(severity);
  });
});

let container: TestContainer;
let api: ApiClient;

beforeAll(async () => {
  container = await startTestContainer();
  api = createApiClient(container.url);
});
afterAll(() => container?.[Symbol.asyncDispose]());

test('a risk is registered, assessed, mitigated and filtered', async () => {
  const { status, body } = await api.post('/api/risks', { title: 'A supplier fails', owner: 'coo' });
  expect([status, body['status'], body['assessment']]).toEqual([201, 'identified', null]);
  const path = `/api/risks/${body['id']}`;
  const assessed = await api.post(`${path}/assess`, { likelihood: 0.9, impact: 0.9, notes: 'soon' });
  expect(assessed.body).toMatchObject({ status: 'assessing', assessment: { severity: 'critical', notes: 'soon' } });
  const mitigated = await api.post(`${path}/mitigate`, { plan: 'A second supplier' });
  expect(mitigated.body).toMatchObject({ status: 'mitigating', mitigation_plan: 'A second supplier' });
  await api.post(`${path}/status`, { status: 'resolved' });
  const ids = async (query: string) =>
    ((await api.get(`/api/risks?${query}`)).body['risks'] as JsonObject[]).map((one) => one['id']);
  expect(await ids('status=resolved&category=operational')).toEqual([body['id']]);
  expect(await ids('status=identified')).toEqual([]);
  expect((await api.post(`${path}/assess`, { likelihood: 2, impact: 1 })).status).toBe(400);
  expect((await api.post('/api/risks/nope/status', { status: 'resolved' })).status).toBe(404);
});
