import { afterAll, beforeAll, expect, test } from 'vitest';
import type { JsonObject } from '../../src/core/json.ts';
import { type ApiClient, createApiClient } from '../support/api.ts';
import { startTestContainer, type TestContainer } from '../support/container.ts';

let container: TestContainer;
let api: ApiClient;

beforeAll(async () => {
  container = await startTestContainer();
  api = createApiClient(container.url);
});
afterAll(() => container?.[Symbol.asyncDispose]());

const titles = (body: JsonObject) => (body['documents'] as JsonObject[]).map((one) => one['title']);
const pricing = {
  title: 'Pricing',
  doc_type: 'policy',
  content: { text: 'No discounts above 20 %.' },
  tags: ['sales'],
};

test('a document is added, found by its words, changed with its past kept, and deleted', async () => {
  const { status, body } = await api.post('/api/knowledge/documents', pricing);
  expect([status, body['status'], body['version']]).toEqual([201, 'draft', 1]);
  await api.post('/api/knowledge/documents', { title: 'Travel', doc_type: 'policy', content: { text: 'Economy.' } });
  const path = `/api/knowledge/documents/${body['id']}`;
  expect((await api.get(path)).body).toEqual(body);
  const found = async (query: string) => titles((await api.get(`/api/knowledge/documents?${query}`)).body);
  expect(await found('query=discounts+SALES&limit=10')).toEqual(['Pricing']);
  expect(await found('query=nothing')).toEqual([]);
  expect(await found('query=&doc_type=policy&limit=1')).toEqual(['Travel']);
  const changed = await api.post(path, { content: { text: 'None.' }, status: 'approved' });
  expect(changed.body).toMatchObject({ version: 2, status: 'approved', title: 'Pricing', content: { text: 'None.' } });
  const { versions } = (await api.get(`${path}/versions`)).body;
  expect(versions).toEqual([body]);
  expect((await api.call('DELETE', path)).status).toBe(204);
  expect((await api.get(path)).body['error']).toBe(`Document '${body['id']}' not found`);
});

test('documents and risks are a tenant’s own', async () => {
  const { body } = await api.post('/api/knowledge/documents', pricing, { 'x-tenant-id': 'acme' });
  expect((await api.get(`/api/knowledge/documents/${body['id']}`)).status).toBe(404);
  const risk = await api.post('/api/risks', { title: 'Fire' }, { 'x-tenant-id': 'acme' });
  expect((await api.post(`/api/risks/${risk.body['id']}/status`, { status: 'resolved' })).status).toBe(404);
});
