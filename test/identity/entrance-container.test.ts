/** Who may what, asked of a whole container at every door. */
import { generateKeyPair } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runtimeDefaults } from '../../src/config.ts';
import type { JsonObject, JsonValue } from '../../src/core/json.ts';
import { type Role, rightsOf } from '../../src/identity/access.ts';
import { makeApiKey } from '../../src/identity/api-key.ts';
import { needOf, type OperationSpec } from '../../src/operations/operation.ts';
import { operationSpecs } from '../../src/operations/table.ts';
import { startTestContainer, type TestContainer } from '../support/container.ts';
import { allEvents } from '../support/invocations.ts';
import { AUDIENCE, ISSUER, type KeyPair, signToken, startIssuer, type TestIssuer } from '../support/jwks.ts';
import { openSocket } from '../support/socket-client.ts';

let keys: KeyPair;
let issuer: TestIssuer;
let container: TestContainer;

beforeAll(async () => {
  keys = await generateKeyPair('RS256', { extractable: true });
  issuer = await startIssuer({ k1: keys });
  container = await startTestContainer({
    runtime: {
      identity: {
        mode: 'jwt',
        issued: { jwksUrl: issuer.jwksUrl, issuer: ISSUER, audiences: [AUDIENCE], algorithms: ['RS256'] },
        signed: undefined,
        claims: { entraTenants: undefined, tenant: undefined },
      },
      listenEverywhere: true,
      // The keys of the issuer are among what may be asked for.
      egress: { ...runtimeDefaults.egress, mode: 'guard' },
    },
  });
});
afterAll(async () => {
  await container?.[Symbol.asyncDispose]();
  await issuer?.[Symbol.asyncDispose]();
});

interface Person {
  readonly sub: string;
  readonly tenant?: string;
  readonly roles?: readonly string[];
  readonly expiresIn?: number;
}

async function bearer({ sub, tenant = 'acme', roles = ['operator'], expiresIn = 600 }: Person) {
  const claims = { sub, tenant_id: tenant, roles: [...roles] };
  return { authorization: `Bearer ${await signToken(keys, { claims, expiresIn })}` };
}

async function ask(method: string, path: string, headers: Record<string, string>, body?: JsonValue) {
  const response = await fetch(`${container.url}${path}`, {
    method,
    headers,
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const said = (response.headers.get('content-type') ?? '').includes('json') ? (JSON.parse(text) as JsonObject) : {};
  return { status: response.status, headers: response.headers, body: said, text };
}

const invoke = (headers: Record<string, string>, body: JsonValue) => ask('POST', '/invocations', headers, body);
const operate = (headers: Record<string, string>, operation: string, input: JsonObject = {}) =>
  invoke(headers, { operation, input });

describe('nobody is known', () => {
  test.each<[string, string]>([
    ['GET', '/api/v1/aoa/runs'],
    ['POST', '/api/v1/aoa/tasks'],
    ['POST', '/invocations'],
    ['GET', '/invocations/some-id'],
    ['POST', '/invocations/some-id/cancel'],
    ['GET', '/metrics'],
  ])('%s %s is 401 and says how to be', async (method, path) => {
    const nothing = await ask(method, path, {}, method === 'POST' ? {} : undefined);
    expect(nothing).toMatchObject({ status: 401 });
    expect(nothing.headers.get('www-authenticate')).toBe('Bearer');
    const bad = await ask(method, path, { authorization: 'Bearer a.b.c' }, method === 'POST' ? {} : undefined);
    expect(bad).toMatchObject({ status: 401 });
    expect(bad.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
  });

  test.each([
    '/',
    '/openapi.json',
    '/readiness',
    '/api/health',
    '/api/v1/aoa/health',
    '/invocations/docs/openapi.json',
  ])('%s is open to everybody', async (path) => {
    expect(await ask('GET', path, {})).toMatchObject({ status: 200 });
    expect(await ask('GET', path, { authorization: 'Bearer a.b.c' })).toMatchObject({ status: 200 });
  });

  test('the headers of the platform are not believed', async () => {
    const answer = await ask('GET', '/api/v1/aoa/runs', { 'x-agent-user-id': 'ann', 'x-tenant-id': 'acme' });
    expect(answer.status).toBe(401);
  });

  test('a token in the query counts for streams alone', async () => {
    const { authorization } = await bearer({ sub: 'ann' });
    const token = authorization.split(' ')[1] ?? '';
    expect((await ask('GET', `/api/v1/aoa/runs?access_token=${token}`, {})).status).toBe(401);
    expect((await ask('GET', `/api/v1/aoa/events?format=json&token=${token}`, {})).status).toBe(401);
    for (const name of ['token', 'access_token']) {
      const leaving = new AbortController();
      const stream = await fetch(`${container.url}/api/v1/aoa/events?${name}=${token}`, {
        headers: { accept: 'text/event-stream' },
        signal: leaving.signal,
      });
      expect(stream.status).toBe(200);
      leaving.abort();
    }
  });

  test('the gateway may carry the token in a header of its own', async () => {
    const { authorization } = await bearer({ sub: 'ann' });
    expect((await ask('GET', '/api/v1/aoa/runs', { 'x-client-authorization': authorization })).status).toBe(200);
  });

  test('refusals are in the audit log, once a minute, without what was presented', async () => {
    const server = await bearer({ sub: 'root', tenant: 'default', roles: ['admin'] });
    await ask('GET', '/api/v1/aoa/runs', { authorization: 'Bearer look.for.me' });
    await ask('GET', '/api/v1/aoa/runs', { authorization: 'Bearer look.for.me' });
    const items = async () =>
      (await ask('GET', '/api/v1/aoa/audit?action=AUTH_FAIL', server)).body['items'] as JsonObject[];
    await expect.poll(async () => (await items()).filter(({ reason }) => reason === 'malformed').length).toBe(1);
    expect(JSON.stringify(await items())).not.toContain('look.for.me');
    expect(JSON.stringify(await items())).not.toContain('127.0.0.1');
  });
});

describe('rights', () => {
  const everyone: readonly Role[] = ['viewer', 'operator', 'approver', 'admin'];

  /** An operation of each right and door that needs nothing to be there. */
  test.each(everyone)('%s is refused by REST and in the envelope exactly what the roles do not reach', async (role) => {
    const headers = await bearer({ sub: `one-${role}`, roles: [role] });
    const held = rightsOf({ roles: [role], scopes: [] }).get('*') ?? new Set();
    const wanted: readonly OperationSpec[] = operationSpecs.filter(({ rest }) => rest.stream === undefined);
    for (const spec of wanted) {
      const { access } = needOf(spec);
      if (access === 'public') continue;
      const path = spec.rest.path.replace(/\{\w+\}/g, 'nothing-there');
      const { method } = spec.rest;
      // A body that fits nothing: whoever is let in is told so, and changes nothing.
      const body = method === 'GET' || method === 'DELETE' ? undefined : { never: [] };
      const rest = held.has(access) && method !== 'GET' ? undefined : await ask(method, path, headers, body);
      const refused = held.has(access) ? undefined : 'RIGHT_MISSING';
      if (rest !== undefined)
        expect([spec.name, rest.body['code'] === 'RIGHT_MISSING']).toEqual([spec.name, refused !== undefined]);
      if (refused === undefined) continue;
      expect(rest?.status).toBe(403);
      expect(await operate(headers, spec.name)).toMatchObject({
        status: 403,
        body: { error: { code: 'forbidden', details: [{ code: 'RIGHT_MISSING', right: access }] } },
      });
    }
  });

  test('the refusal names the right that is missing and the roles that are held', async () => {
    const { body } = await ask('POST', '/api/v1/aoa/tasks', await bearer({ sub: 'vic', roles: ['viewer'] }), {});
    expect(body).toMatchObject({
      code: 'RIGHT_MISSING',
      right: 'write',
      roles: ['viewer'],
      detail: expect.stringContaining('tasks.submit needs the right "write"'),
    });
  });

  test('a run is started and cancelled by whoever writes, and read by whoever reads', async () => {
    const viewer = await bearer({ sub: 'olga', roles: ['viewer'] });
    const operator = await bearer({ sub: 'olga' });
    expect(await invoke(viewer, { message: 'Hello' })).toMatchObject({ status: 403 });
    const started = await invoke(operator, { message: 'Hello' });
    expect(started).toMatchObject({ status: 200, body: { status: 'completed' } });
    const id = String(started.body['invocation_id']);
    expect(await ask('GET', `/invocations/${id}`, viewer)).toMatchObject({ status: 200 });
    expect(await ask('POST', `/invocations/${id}/cancel`, viewer)).toMatchObject({ status: 403 });
    expect(await ask('POST', `/invocations/${id}/cancel`, operator)).toMatchObject({ status: 409 });
  });

  test('figures of all tenants are for administrators and scrapers', async () => {
    expect((await ask('GET', '/metrics', await bearer({ sub: 'a' }))).status).toBe(403);
    expect((await ask('GET', '/metrics', await bearer({ sub: 'p', roles: ['server:metrics'] }))).status).toBe(200);
  });
});

describe('tenants and users', () => {
  test("a tenant's things are not found by another's users, by any door", async () => {
    const ann = await bearer({ sub: 'ann' });
    const started = await invoke(ann, { message: 'Hello' });
    const id = String(started.body['invocation_id']);
    const strangers = [await bearer({ sub: 'ann', tenant: 'other', roles: ['admin'] }), await bearer({ sub: 'bob' })];
    for (const stranger of strangers) {
      expect((await ask('GET', `/invocations/${id}`, stranger)).status).toBe(404);
      expect((await ask('POST', `/invocations/${id}/cancel`, stranger)).status).toBe(404);
      expect((await ask('GET', `/api/v1/aoa/runs/${id}`, stranger)).status).toBe(404);
      expect((await operate(stranger, 'runs.get', { run_id: id })).status).toBe(404);
      using socket = await openSocket(container.url, stranger);
      socket.send({ type: 'follow', invocation_id: id });
      expect(await socket.until(({ type }) => type === 'error')).toMatchObject([{ error: { code: 'not_found' } }]);
    }
  });

  test('X-Tenant-ID chooses only what the token allows', async () => {
    const ann = await bearer({ sub: 'ann', roles: ['admin'] });
    expect((await ask('GET', '/api/v1/aoa/runs', { ...ann, 'x-tenant-id': 'acme' })).status).toBe(200);
    expect(await ask('GET', '/api/v1/aoa/runs', { ...ann, 'x-tenant-id': 'other' })).toMatchObject({
      status: 403,
      body: { code: 'TENANT_REFUSED' },
    });
    const listed = await signToken(keys, {
      claims: { sub: 'sue', tenant_id: 'acme', tenants: ['b'], roles: ['viewer'] },
    });
    const sue = { authorization: `Bearer ${listed}` };
    expect((await ask('GET', '/api/v1/aoa/runs', { ...sue, 'x-tenant-id': 'b' })).status).toBe(200);
    expect((await ask('GET', '/api/v1/aoa/runs', { ...sue, 'x-tenant-id': 'c' })).status).toBe(403);
  });
});

describe('approvals', () => {
  /** A graph that asks for one approval. */
  const work = {
    workflow: 'graph',
    task: { type: 'pay', data: {} },
    graph: { nodes: [{ id: 'sign', type: 'approval', title: 'Pay the invoice?' }], edges: [] },
    background: true,
  };

  async function waiting(requester: string): Promise<string> {
    const started = await invoke(await bearer({ sub: requester }), work);
    expect(started).toMatchObject({ status: 202 });
    const id = String(started.body['invocation_id']);
    const reader = await bearer({ sub: 'reader', roles: ['viewer'] });
    const open = async () => (await ask('GET', `/api/v1/approvals?run_id=${id}`, reader)).body['items'] as JsonObject[];
    await expect.poll(async () => (await open()).length).toBe(1);
    return String((await open())[0]?.['id']);
  }

  test('are decided by whoever is signed in, under no other name, and never by whoever asked', async () => {
    const id = await waiting('ann');
    const approve = async (person: Person, body: JsonObject = {}) =>
      ask('POST', `/api/v1/approvals/${id}/approve`, await bearer(person), body);
    expect(await approve({ sub: 'olaf' })).toMatchObject({ status: 403, body: { code: 'RIGHT_MISSING' } });
    expect(await approve({ sub: 'ann', roles: ['approver'] })).toMatchObject({
      status: 403,
      body: { code: 'OWN_REQUEST' },
    });
    expect(await approve({ sub: 'ann', roles: ['admin'] }, { by: 'dana' })).toMatchObject({
      status: 403,
      body: { code: 'DECIDER_DIFFERS' },
    });
    expect(await approve({ sub: 'dana', roles: ['approver'] }, { by: 'Dana' })).toMatchObject({
      status: 200,
      body: { status: 'approved', decided_by: ['dana'] },
    });
  });

  test('the same holds in the envelope and on the WebSocket', async () => {
    const id = await waiting('ann');
    const dana = await bearer({ sub: 'dana', roles: ['approver'] });
    expect(await operate(dana, 'approvals.approve', { approval_id: id, by: 'bob' })).toMatchObject({
      status: 403,
      body: { error: { details: [{ code: 'DECIDER_DIFFERS' }] } },
    });
    using olaf = await openSocket(container.url, await bearer({ sub: 'olaf' }));
    olaf.send({ type: 'operation', operation: 'approvals.approve', input: { approval_id: id } });
    expect(await olaf.until(({ type }) => type === 'error')).toMatchObject([{ error: { code: 'forbidden' } }]);
    using socket = await openSocket(container.url, dana);
    socket.send({ type: 'operation', operation: 'approvals.approve', input: { approval_id: id } });
    expect(await socket.until(({ type }) => type === 'result')).toMatchObject([{ status: 200 }]);
  });
});

describe('on the WebSocket', () => {
  test.each<[string, Record<string, string>]>([
    ['nobody', {}],
    ['a bad token', { authorization: 'Bearer a.b.c' }],
  ])('%s gets a frame that says so, and close code 1008', async (_who, headers) => {
    using socket = await openSocket(container.url, headers);
    expect(await socket.closed).toEqual({ code: 1008, reason: 'unauthenticated' });
    expect(socket.received).toMatchObject([{ type: 'error', error: { code: 'unauthenticated' } }]);
  });

  test('a browser, which sends no headers, has its token in the address', async () => {
    const { authorization } = await bearer({ sub: 'ann' });
    using socket = await openSocket(container.url, {}, `?access_token=${authorization.split(' ')[1]}`);
    socket.send({ type: 'ping' });
    expect(await socket.until(({ type }) => type === 'pong')).toHaveLength(1);
  });

  test('each frame wants its right', async () => {
    using socket = await openSocket(container.url, await bearer({ sub: 'vic', roles: ['viewer'] }));
    socket.send({ type: 'invoke', invocation_id: 'no-1', body: { message: 'Hello' } });
    socket.send({ type: 'cancel', invocation_id: 'no-1' });
    await socket.until(() => socket.received.length === 2);
    expect(socket.received).toMatchObject([{ error: { code: 'forbidden' } }, { error: { code: 'forbidden' } }]);
  });
});

describe('a token that expires', () => {
  const forever = {
    agent_ids: ['ceo'],
    workflow: 'perpetual',
    task: { type: 'watch', data: {} },
    config: { cycle_interval_seconds: 3600 },
    background: true,
  };
  // Whole seconds are all that a token can say; two are time enough to begin.
  const short = { sub: 'eve', expiresIn: 2 };

  test('ends the streams of its bearer, and the run goes on', async () => {
    const eve = await bearer(short);
    const started = await invoke(eve, forever);
    const id = String(started.body['invocation_id']);
    const accept = { accept: 'text/event-stream' };
    const [events, feed] = await Promise.all([
      fetch(`${container.url}/invocations/${id}`, { headers: { ...eve, ...accept } }).then((answer) => answer.text()),
      fetch(`${container.url}/api/v1/aoa/events`, { headers: { ...eve, ...accept } }).then((answer) => answer.text()),
    ]);
    for (const text of [events, feed]) {
      const last = text.trimEnd().split('\n\n').at(-1) ?? '';
      expect(last).toMatch(/^event: error\ndata: \{"error":\{"code":"token_expired"/);
    }
    const later = await bearer({ sub: 'eve' });
    expect(await ask('GET', `/invocations/${id}`, later)).toMatchObject({
      body: { status: expect.stringMatching(/running|waiting/) },
    });
    await ask('POST', `/invocations/${id}/cancel`, later);
  });

  test('ends what is followed on its WebSocket, then the connection', async () => {
    const later = await bearer({ sub: 'eve' });
    const started = await invoke(later, forever);
    const id = String(started.body['invocation_id']);
    using socket = await openSocket(container.url, await bearer(short));
    socket.send({ type: 'follow', invocation_id: id });
    expect(await socket.closed).toEqual({ code: 1008, reason: 'token_expired' });
    expect(socket.received.slice(-2)).toMatchObject([
      { type: 'end', invocation_id: id, reason: 'token_expired' },
      { type: 'error', error: { code: 'token_expired' } },
    ]);
    await ask('POST', `/invocations/${id}/cancel`, later);
  });
});

describe('a container with API keys', () => {
  test('knows its keys by their hash', async () => {
    const acme = makeApiKey({ name: 'sync', tenant: 'acme', roles: ['operator'] });
    const watcher = makeApiKey({ name: 'watch', tenant: 'acme', roles: ['viewer'], user: 'ann' });
    const text = JSON.stringify([acme.record, watcher.record]);
    await using keyed = await startTestContainer({
      runtime: { identity: { mode: 'api-key', file: undefined, text }, listenEverywhere: true },
    });
    const start = (headers: Record<string, string>) =>
      fetch(`${keyed.url}/invocations`, { method: 'POST', headers, body: JSON.stringify({ message: 'Hello' }) });
    expect((await start({ 'x-api-key': acme.key })).status).toBe(200);
    expect((await start({ authorization: `Bearer ${acme.key}` })).status).toBe(200);
    expect((await start({ 'x-api-key': watcher.key })).status).toBe(403);
    expect((await start({ 'x-api-key': `${acme.key}x` })).status).toBe(401);
    expect((await start({ 'x-api-key': acme.record.sha256 })).status).toBe(401);
    expect((await start({})).status).toBe(401);
  });
});

describe('a container of the platform', () => {
  test('believes its headers, has one tenant, and administrators by list', async () => {
    await using hosted = await startTestContainer({
      runtime: {
        identity: {
          mode: 'platform',
          held: { roles: ['operator', 'approver'], scopes: [] },
          admins: ['root'],
          tenant: 'default',
        },
        listenEverywhere: true,
      },
    });
    const post = (user: string, body: JsonObject, more: Record<string, string> = {}) =>
      fetch(`${hosted.url}/invocations`, {
        method: 'POST',
        headers: { 'x-agent-user-id': user, ...more },
        body: JSON.stringify(body),
      });
    const started = await post('ann', { message: 'Hello' }, { 'x-agent-invocation-id': 'p-1', 'x-tenant-id': 'acme' });
    expect(started.status).toBe(200);
    const read = (user: string, more: Record<string, string> = {}) =>
      fetch(`${hosted.url}/invocations/p-1`, { headers: { 'x-agent-user-id': user, ...more } });
    expect((await read('ann')).status).toBe(200);
    expect((await read('', { 'x-agent-user-isolation-key': 'ann' })).status).toBe(200);
    expect((await read('bob')).status).toBe(404);
    const preset = { operation: 'pool.scale', input: { target_workers: 1 } };
    expect((await post('ann', preset)).status).toBe(403);
    expect((await post('root', preset)).status).toBe(200);
    expect(
      await allEvents(
        fetch(`${hosted.url}/invocations/p-1`, { headers: { 'x-agent-user-id': 'ann', accept: 'text/event-stream' } }),
      ),
    ).not.toHaveLength(0);
  });
});
