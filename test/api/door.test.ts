import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { createApiDoor } from '../../src/api/door.ts';
import { createIdempotency } from '../../src/api/idempotency.ts';
import { createRequestMeter } from '../../src/api/request-meter.ts';
import { createApiRoutes } from '../../src/api/routes.ts';
import { systemClock } from '../../src/core/clock.ts';
import { AosError } from '../../src/core/errors.ts';
import { type Operation, type RestRoute, realize, specify } from '../../src/operations/operation.ts';
import { describeRest } from '../../src/operations/rest-document.ts';
import type { Database } from '../../src/store/database.ts';
import { type ApiAnswer, readContract } from '../support/api.ts';
import { openTestDatabase } from '../support/database.ts';
import { openEntrance } from '../support/entrance.ts';
import { startHost, type TestHost } from '../support/host.ts';

let database: Database;
let host: TestHost;
let made = 0;
const logged: unknown[] = [];

const flat: Omit<RestRoute, 'path' | 'method'> = { status: 200, family: 'flat' };
const detail: Omit<RestRoute, 'path' | 'method'> = { status: 200, family: 'detail' };
const anything = z.record(z.string(), z.unknown());

const operations: Operation[] = [
  realize(
    specify({
      name: 'things.make',
      summary: 'Makes a thing',
      input: z.object({ name: z.string(), size: z.number().min(1).default(1) }),
      output: z.object({ name: z.string(), size: z.number(), made: z.number() }),
      rest: {
        ...detail,
        method: 'POST',
        path: '/api/v1/things',
        status: 201,
        location: ({ name }) => `/things/${name}`,
      },
    }),
    async ({ name, size }) => ({ name, size, made: ++made }),
  ),
  realize(
    specify({
      name: 'things.change',
      summary: 'Changes a thing',
      input: z.looseObject({ name: z.string(), tenant: z.string().optional() }),
      output: anything,
      rest: { ...flat, method: 'PUT', path: '/api/things/{name}', aliases: ['/api/thing/{name}'] },
    }),
    async (input, { caller }) => ({ ...input, caller: { ...caller } }),
  ),
  realize(
    specify({
      name: 'things.get',
      summary: 'A thing, or what is wrong with it',
      input: z.object({ name: z.string(), limit: z.coerce.number().int().max(5).default(2) }),
      output: anything,
      rest: {
        ...flat,
        method: 'GET',
        path: '/api/things/{name}',
        statusOf: (output) => Number(output['status'] ?? 200),
      },
      errors: ['not_found', 'conflict'],
    }),
    async ({ name, limit }) => {
      if (name === 'broken') throw new Error('the password is hunter2');
      if (name === 'gone') {
        throw new AosError('not_found', 'Thing gone', { reason: 'THING_GONE', facts: { since: 'today' } });
      }
      return name === 'sick' ? { status: 503 } : { name, limit };
    },
  ),
  realize(
    specify({
      name: 'things.remove',
      summary: 'Removes a thing',
      input: z.object({ name: z.string() }),
      output: z.object({}),
      rest: { ...flat, method: 'DELETE', path: '/api/things/{name}', status: 204 },
    }),
    async () => ({}),
  ),
  realize(
    specify({
      name: 'things.watch',
      summary: 'Things as they come',
      input: z.object({ after: z.coerce.number().default(0) }),
      output: anything,
      rest: {
        ...detail,
        method: 'GET',
        path: '/api/v1/things',
        stream: { description: '', unasked: 'stream', resume: 'after', example: '' },
      },
    }),
    async ({ after }) => ({ after }),
    async ({ after }) => {
      if (after > 100) throw new AosError('conflict', 'there is no such thing yet');
      return (async function* () {
        yield { id: after + 1, event: 'thing', data: { n: after + 1 } };
        yield { id: after + 2, event: 'thing', data: { n: after + 2 } };
      })();
    },
  ),
];
const { paths, schemas, headers, parameters } = describeRest(operations.map(({ spec }) => spec));
const contract = readContract({ openapi: '3.1.0', paths, components: { schemas, headers, parameters } });

beforeAll(async () => {
  database = await openTestDatabase();
  const idempotency = createIdempotency({ database, clock: systemClock });
  const log = { error: (...said: unknown[]) => logged.push(said) };
  const door = createApiDoor({
    entrance: openEntrance,
    idempotency,
    clock: systemClock,
    log: log as never,
    stopping: new AbortController().signal,
  });
  host = await startHost(() => {}, {
    app: createApiRoutes({
      operations,
      door,
      meter: createRequestMeter(),
      instruments: async () => '',
      clock: systemClock,
    }),
  });
});
afterAll(async () => {
  await host?.[Symbol.asyncDispose]();
  await database?.close();
});

async function call(method: string, path: string, init: RequestInit = {}): Promise<ApiAnswer> {
  const response = await fetch(`${host.url}${path}`, { ...init, method });
  const text = await response.text();
  const answer = { status: response.status, headers: response.headers, body: text === '' ? {} : JSON.parse(text) };
  expect(contract.faults(method, path, answer, text)).toEqual([]);
  return answer;
}

const make = (body: unknown, headers: Record<string, string> = {}) =>
  call('POST', '/api/v1/things', { body: typeof body === 'string' ? body : JSON.stringify(body), headers });

describe('the input of an operation', () => {
  test('comes from path, query and body, and the path counts most', async () => {
    const body = JSON.stringify({ name: 'other', colour: 'red' });
    const { body: changed } = await call('PUT', '/api/things/a%20b?tenant=t&code=k', { body });
    expect(changed).toEqual({ name: 'a b', tenant: 't', colour: 'red', caller: { tenantId: 'default', userId: '' } });
  });

  test('takes the last of several query parameters', async () => {
    expect((await call('GET', '/api/things/x?limit=3&limit=4')).body).toEqual({ name: 'x', limit: 4 });
  });

  test('may lack a body where nothing in it is required', async () => {
    expect((await call('PUT', '/api/thing/x')).body).toMatchObject({ name: 'x' });
  });

  test('leaves out members it does not know, and says so in the detail family', async () => {
    const { status, body } = await make({ name: 'x', colour: 'red' });
    expect(status).toBe(201);
    expect(body['warnings']).toEqual(['unknown field "colour" was left out']);
  });

  test.each<[string, string | object, number, RegExp]>([
    ['bad JSON', '{"name": }', 400, /^Invalid JSON body: .*line 1, column 10/],
    ['a list', '[1]', 400, /^Invalid JSON body: expected an object, got a list/],
    ['a member of the wrong type', { name: 5 }, 422, /"name": expected a text, got a number/],
    ['a number out of bounds', { name: 'x', size: 0 }, 422, /size/],
    ['a member that is missing', {}, 422, /"name" is missing/],
    ['U+0000', { name: 'a\0b' }, 422, /U\+0000/],
  ])('is refused for %s', async (_what, body, status, sentence) => {
    const answer = await make(body);
    expect(answer.status).toBe(status);
    expect(answer.body).toMatchObject({ detail: expect.stringMatching(sentence), trace_id: expect.any(String) });
  });

  test('is refused with 400 in the flat family', async () => {
    const { status, body } = await call('GET', '/api/things/x?limit=9');
    expect([status, body['code']]).toEqual([400, 'INVALID_REQUEST']);
    expect(body['error']).toMatch(/limit/);
  });

  test('is refused when it is too large', async () => {
    const { status, body } = await make(`{"name":"${'x'.repeat(16 * 1024 * 1024)}"}`);
    expect([status, body['code']]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
  });
});

describe('the answer', () => {
  test('is JSON with the status, the location and the trace of the operation', async () => {
    const { status, headers } = await make({ name: 'x' }, { 'x-trace-id': 'trace-of-mine' });
    expect([status, headers.get('location'), headers.get('x-trace-id')]).toEqual([201, '/things/x', 'trace-of-mine']);
  });

  test('belongs to the trace of the caller’s traceparent', async () => {
    const traceparent = `00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-01`;
    expect((await make({ name: 'x' }, { traceparent })).headers.get('x-trace-id')).toBe('ab'.repeat(16));
  });

  test('may have another status, and no body', async () => {
    expect((await call('DELETE', '/api/things/x')).status).toBe(204);
    const response = await fetch(`${host.url}/api/things/sick`);
    expect(response.status).toBe(503);
  });

  test('of a refusal holds the finer word and the facts', async () => {
    const { status, body } = await call('GET', '/api/things/gone', { headers: { 'x-trace-id': 't' } });
    expect(status).toBe(404);
    expect(body).toEqual({ error: 'Thing gone', code: 'THING_GONE', since: 'today', trace_id: 't', details: [] });
  });

  test('never holds the text of an exception, which is logged', async () => {
    const { status, body } = await call('GET', '/api/things/broken');
    expect([status, body['error'], body['code']]).toEqual([500, 'Internal server error', 'INTERNAL_ERROR']);
    expect(JSON.stringify(body)).not.toContain('hunter2');
    expect(logged).toHaveLength(1);
  });

  test('to HEAD is the answer to GET without its body', async () => {
    const response = await fetch(`${host.url}/api/things/x`, { method: 'HEAD' });
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/json']);
  });

  test('to a slash at the end is the same', async () => {
    expect((await call('GET', '/api/things/x/')).status).toBe(200);
  });

  test.each([
    ['/api/thingz', 'flat', /did you mean \/api\/v1\/things|there is nothing at \/api\/thingz/],
    ['/api/v1/thing', 'detail', /did you mean \/api\/v1\/things\?/],
  ])('to %s is not found in the words of its family', async (path, family, sentence) => {
    const { status, body } = await call('GET', path);
    expect([status, body['code']]).toEqual([404, 'ROUTE_NOT_FOUND']);
    expect(body[family === 'flat' ? 'error' : 'detail']).toMatch(sentence);
  });

  test('to a method that is not there names those that are', async () => {
    const { status, headers } = await call('PATCH', '/api/things/x');
    expect([status, headers.get('allow')]).toEqual([405, 'PUT, GET, DELETE, HEAD']);
  });

  test('to a tenant that cannot be one is a refusal', async () => {
    const { status, body } = await call('GET', '/api/things/x', { headers: { 'x-tenant-id': 'no spaces' } });
    expect([status, body['code']]).toEqual([400, 'INVALID_REQUEST']);
  });

  test('to who names tenant and user is theirs', async () => {
    const headers = { 'x-tenant-id': 'acme', 'x-agent-user-id': 'u1' };
    const { body } = await call('PUT', '/api/things/x', { headers });
    expect(body['caller']).toEqual({ tenantId: 'acme', userId: 'u1' });
  });
});

describe('a stream', () => {
  const watch = (headers: Record<string, string>, query = '') =>
    fetch(`${host.url}/api/v1/things${query}`, { headers: { accept: '*/*', ...headers } });

  test('is what a client gets that does not say', async () => {
    const response = await watch({});
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    expect(await response.text()).toBe('id: 1\nevent: thing\ndata: {"n":1}\n\nid: 2\nevent: thing\ndata: {"n":2}\n\n');
  });

  test('goes on after the last event a client has', async () => {
    expect(await (await watch({ 'last-event-id': '7' })).text()).toMatch(/^id: 8\n/);
    expect(await (await watch({ 'last-event-id': '7' }, '?after=2')).text()).toMatch(/^id: 3\n/);
  });

  test.each([
    [{ accept: 'application/json' }, ''],
    [{ accept: 'application/json, text/event-stream;q=0.5' }, ''],
    [{}, '?format=json'],
  ])('is JSON for %j%s', async (headers, query) => {
    const response = await watch(headers as Record<string, string>, query);
    expect(await response.json()).toEqual({ after: 0 });
  });

  test('that cannot begin is a refusal', async () => {
    expect((await watch({ 'last-event-id': '101' })).status).toBe(409);
    expect((await watch({ 'last-event-id': 'x' })).status).toBe(422);
  });
});

describe('an Idempotency-Key', () => {
  const keyed = (key: string, body: unknown, headers: Record<string, string> = {}) =>
    make(body, { 'idempotency-key': key, ...headers });

  test('gets the first answer again', async () => {
    const first = await keyed('k1', { name: 'x' });
    const again = await keyed('k1', { name: 'x' });
    expect(again.body).toEqual(first.body);
    expect([again.status, again.headers.get('location')]).toEqual([201, '/things/x']);
    expect([first, again].map(({ headers }) => headers.get('x-idempotent-replay'))).toEqual([null, 'true']);
  });

  test('with another body is refused', async () => {
    await keyed('k2', { name: 'x' });
    const { status, body } = await keyed('k2', { name: 'y' });
    expect([status, body['code']]).toEqual([422, 'IDEMPOTENCY_KEY_REUSED']);
  });

  test('is each tenant’s and each user’s own', async () => {
    const answers = await Promise.all([
      keyed('k3', { name: 'x' }),
      keyed('k3', { name: 'x' }, { 'x-tenant-id': 'acme' }),
      keyed('k3', { name: 'x' }, { 'x-agent-user-id': 'u1' }),
    ]);
    expect(new Set(answers.map(({ body }) => body['made'])).size).toBe(3);
  });

  test('is used once by calls that come at once', async () => {
    const answers = await Promise.all(Array.from({ length: 5 }, () => keyed('k4', { name: 'x' })));
    const numbers = answers.flatMap(({ status, body }) => (status === 201 ? [body['made']] : []));
    expect(new Set(numbers).size).toBe(1);
    expect(answers.every(({ status }) => status === 201 || status === 409)).toBe(true);
  });

  test('of a refusal is free again', async () => {
    expect((await keyed('k5', {})).status).toBe(422);
    expect((await keyed('k5', { name: 'x' })).status).toBe(201);
  });

  test('that is not one is refused', async () => {
    expect((await keyed('a b', { name: 'x' })).status).toBe(422);
  });
});
