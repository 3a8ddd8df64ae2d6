/** Screening over the REST door of a whole container: what is found, and what a tenant may want done about it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/core/json.ts';
import { defaultPolicy } from '../../src/governance/screening/policy.ts';
import { type ApiClient, createApiClient } from '../support/api.ts';
import { startTestContainer, type TestContainer } from '../support/container.ts';

const BASE = '/api/v1/governance';
let container: TestContainer;
let api: ApiClient;

beforeAll(async () => {
  container = await startTestContainer();
  api = createApiClient(container.url);
});
afterAll(() => container?.[Symbol.asyncDispose]());

const acme = { 'x-tenant-id': 'acme' };
const data = { user: { mail: 'jo@example.com' }, 'ann@example.com': ['card 4111 1111 1111 1111'] };
const screened = (body: object, headers: Record<string, string> = acme) =>
  api.post(`${BASE}/screen`, { data, ...body }, headers);
const replace = (document: JsonObject, headers: Record<string, string>, from = api) =>
  from.call('PUT', `${BASE}/documents/screening`, { body: { document }, headers });

describe('what is asked to be screened', () => {
  test('is told with places and types and without values, and warned about as nobody wants more', async () => {
    const { status, body } = await screened({});
    expect(status).toBe(200);
    expect(body).toMatchObject({
      pii_detected: true,
      match_count: 3,
      policy_applied: 'WARN',
      policy_action_taken: 'warned',
      risk_level: 'high',
      tenant_id: 'acme',
      matches: expect.arrayContaining([
        { type: 'email', path: 'user.mail', start: 0, end: 14, confidence: expect.any(Number) },
      ]),
    });
    expect(body).not.toHaveProperty('redacted_data');
    expect(JSON.stringify(body)).not.toMatch(/jo@|ann@|4111/);
  });

  test.each([
    { policy: 'redact', taken: 'redacted' },
    { policy: 'BLOCK', taken: 'blocked' },
    { policy: 'ALLOW', taken: 'bypassed' },
  ])('with $policy is $taken', async ({ policy, taken }) => {
    expect((await screened({ policy })).body['policy_action_taken']).toBe(taken);
  });

  test('comes back with tokens in place of values for REDACT', async () => {
    const { body } = await screened({ policy: 'REDACT' });
    expect(body['redacted_data']).toEqual({ user: { mail: '[EMAIL]' }, '[EMAIL]': ['card [CARD]'] });
  });

  test('may be any JSON, and finds telephone numbers of the region that is named', async () => {
    for (const any of ['jo@example.com', ['jo@example.com'], { a: { b: ['jo@example.com'] } }]) {
      expect((await api.post(`${BASE}/screen`, { data: any }, acme)).body['match_count']).toBe(1);
    }
    for (const none of [0, true, null, '', [], {}]) {
      expect((await api.post(`${BASE}/screen`, { data: none }, acme)).body['match_count']).toBe(0);
    }
    const call = { data: 'Ruf mich an: 030 901820', region: 'de' };
    expect((await api.post(`${BASE}/screen`, call, acme)).body['pii_types_found']).toEqual(['phone']);
  });

  test('is refused without data, or for a policy or region there is not', async () => {
    expect((await api.post(`${BASE}/screen`, {}, acme)).status).toBe(422);
    expect((await screened({ policy: 'MAYBE' })).status).toBe(422);
    expect((await screened({ region: 'Germany' })).status).toBe(422);
    const slip = await screened({ data: 'x', region: 'ZX' });
    expect([slip.status, slip.body]).toEqual([
      422,
      expect.objectContaining({ detail: expect.stringMatching(/two letters, e\.g\. "DE", got "ZX"/) }),
    ]);
  });
});

describe('the document of a tenant', () => {
  const strict = { 'x-tenant-id': 'strict' };

  test('says what is done, and at least; who asks for less gets the floor', async () => {
    const document = {
      action: 'BLOCK',
      floor: 'REDACT',
      types: ['email'],
      allowed: ['jo@example.com'],
      regions: ['de'],
    };
    const { status, body } = await replace(document, strict);
    expect(status).toBe(200);
    expect(body).toMatchObject({ kind: 'screening', document: { ...document, regions: ['DE'], threshold: 0.7 } });
    expect((await api.get(`${BASE}/documents/screening`, strict)).body).toEqual(body);
    expect((await screened({}, strict)).body).toMatchObject({ policy_action_taken: 'blocked', match_count: 1 });
    expect((await screened({ policy: 'ALLOW' }, strict)).body).toMatchObject({
      policy_applied: 'REDACT',
      redacted_data: { user: { mail: 'jo@example.com' }, '[EMAIL]': ['card 4111 1111 1111 1111'] },
    });
    expect((await screened({}, acme)).body['policy_applied']).toBe('WARN');
  });

  test('is refused with a sentence for every fault, and what held goes on holding', async () => {
    const refused = await replace({ action: 'HIDE', types: ['shoe_size'], treshold: 1 }, strict);
    expect(refused).toMatchObject({ status: 422, body: { details: expect.any(Array) } });
    expect((await replace({ action: 'WARN', floor: 'BLOCK' }, strict)).body['detail']).toMatch(/floor/);
    const { body } = await api.get(`${BASE}/documents/screening/versions`, strict);
    expect(body['items']).toHaveLength(1);
  });

  test('holds in every process, also in one that starts later', async () => {
    await using other = await startTestContainer({ databaseUrl: container.databaseUrl });
    const there = createApiClient(other.url);
    const applied = async () => (await there.post(`${BASE}/screen`, { data }, strict)).body['policy_applied'];
    expect(await applied()).toBe('BLOCK');
    await replace({ action: 'REDACT' }, strict);
    await expect.poll(applied, { timeout: 10_000 }).toBe('REDACT');
  });
});

test('where the server wants more, tenants that say nothing get it', async () => {
  const screening = { policy: { ...defaultPolicy, action: 'REDACT' as const }, floor: 'REDACT' as const };
  await using other = await startTestContainer({ runtime: { screening } });
  const { body } = await createApiClient(other.url).post(`${BASE}/screen`, { data, policy: 'WARN' }, acme);
  expect(body['policy_applied']).toBe('REDACT');
});
