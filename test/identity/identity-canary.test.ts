/**
 * Secrets are planted wherever a container is given or handed one, everything that could tell of them is made to happen
 * (failures above all), and then everything that leaves or stays is searched for them.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { JsonObject, JsonValue } from '../../src/core/json.ts';
import { makeApiKey } from '../../src/identity/api-key.ts';
import { createTestDatabase } from '../support/database.ts';
import { calling, type ModelServer, saying, startModelServer } from '../support/model-server.ts';
import { type OtlpSink, startOtlpSink } from '../support/otlp-sink.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { openSocket } from '../support/socket-client.ts';

const PROGRAM = join(import.meta.dirname, '../../src/main.ts');

/** Looks like nothing in particular, so that no pattern of secrets finds it by its look. */
const canary = (name: string) => `canary${name}${randomBytes(12).toString('hex')}`;

const planted = {
  'the secret that signs tokens': canary('hs'),
  'the secret that signs callbacks': canary('callback'),
  "a plane's token": canary('plane'),
  "a plane's nested client secret": canary('nested'),
  "the model's key": canary('model'),
  "the database's password": canary('database'),
  "the collector's key": canary('collector'),
  'a cookie': canary('cookie'),
  'a header of the client': canary('header'),
  'a password in an address': canary('address'),
  baggage: canary('baggage'),
  'a query parameter': canary('query'),
  'an argument of a tool': canary('argument'),
} as const;
const found = new Map<string, string>(Object.entries(planted));

let folder: string;
let databaseUrl: string;
let sink: OtlpSink;
let model: ModelServer;
let plane: Receiver;
/** What may be searched, by where it was seen. */
const seen = new Map<string, string>();
const tables = new Map<string, string>();

interface Running {
  readonly url: string;
  readonly process: ChildProcess;
  readonly said: { out: string; err: string };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function start(environment: Record<string, string>): Promise<Running> {
  const { PATH = '' } = process.env;
  const port = await freePort();
  const child = spawn(process.execPath, [PROGRAM], {
    env: {
      PATH,
      HOME: folder,
      PORT: String(port),
      AOS_DATABASE_URL: databaseUrl,
      AOS_LOG_LEVEL: 'DEBUG',
      OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
      OTEL_EXPORTER_OTLP_HEADERS: `x-collector-key=${planted["the collector's key"]}`,
      AOS_CALLBACK_SECRET: planted['the secret that signs callbacks'],
      ...environment,
    },
  });
  children.push(child);
  const said = { out: '', err: '' };
  child.stderr.on('data', (text) => {
    said.err += text;
  });
  const ready = Promise.withResolvers<void>();
  child.stdout.on('data', (text) => {
    said.out += text;
    ready.resolve();
  });
  child.once('close', () => ready.reject(new Error(`it ended: ${said.err.slice(-2000)}`)));
  await ready.promise;
  return { url: `http://127.0.0.1:${port}`, process: child, said };
}

async function stop({ process: child, said }: Running, name: string): Promise<void> {
  const ended = once(child, 'close');
  child.kill('SIGTERM');
  await ended;
  seen.set(`standard output of ${name}`, said.out);
  seen.set(`the log of ${name}`, said.err);
}

const children: ChildProcess[] = [];
let asked = 0;
async function ask(
  url: string,
  method: string,
  headers: Record<string, string>,
  body?: JsonValue,
): Promise<JsonObject> {
  const response = await fetch(url, {
    method,
    headers,
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  seen.set(
    `answer ${++asked}: ${method} ${new URL(url).pathname}`,
    `${JSON.stringify([...response.headers])}\n${text}`,
  );
  return response.headers.get('content-type') === 'application/json' ? JSON.parse(text) : { text };
}

function token(claims: JsonObject): string {
  const base64 = (value: JsonObject) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const exp = Math.floor(Date.now() / 1000) + 600;
  const signed = `${base64({ alg: 'HS256' })}.${base64({ exp, tenant_id: 'acme', roles: ['admin'], ...claims })}`;
  const key = planted['the secret that signs tokens'];
  return `${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`;
}

/** A container whose callers have tokens, whose planes and model fail and quote what they were sent. */
async function liveWithTokens(): Promise<void> {
  const fabricFile = join(folder, 'fabric.json');
  const shared = { allow_addresses: ['127.0.0.0/8'], attempts: 1 };
  await writeFile(
    fabricFile,
    JSON.stringify({
      preset: 'ipaas',
      planes: {
        ipaas: {
          ...shared,
          vendor: 'workato',
          mode: 'api',
          base_url: plane.url,
          api_token: { $env: 'PLANE_TOKEN' },
          bindings: { '*:*': { recipe: 'any' } },
        },
        api_gateway: {
          ...shared,
          vendor: 'kong',
          base_url: plane.url,
          auth: {
            type: 'oauth2_client_credentials',
            token_url: `${plane.url}/token`,
            client_id: 'aos',
            client_secret: { $env: 'NESTED_SECRET' },
          },
          bindings: { '*:*': { path: '/things/{id}' } },
        },
      },
    }),
  );
  const running = await start({
    AUTH_MODE: 'jwt',
    AUTH_HS256_SECRET: planted['the secret that signs tokens'],
    AOS_FABRIC_FILE: fabricFile,
    PLANE_TOKEN: planted["a plane's token"],
    NESTED_SECRET: planted["a plane's nested client secret"],
    OPENAI_BASE_URL: model.url,
    OPENAI_MODEL: 'gpt-4o',
    OPENAI_API_KEY: planted["the model's key"],
    AGENT_REGISTRY_PATH: join(folder, 'registry.json'),
  });
  const { url } = running;
  const ann = token({ sub: 'ann' });
  found.set('a bearer token', ann.split('.')[2] ?? '');
  const headers = {
    authorization: `Bearer ${ann}`,
    cookie: `session=${planted['a cookie']}`,
    'x-client-thing': planted['a header of the client'],
    baggage: `secret=${planted['baggage']}`,
    traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  };

  // A model that refuses and quotes the key, then one that calls a tool with a secret.
  model.answer = (response, call) => {
    const error = { message: `Incorrect API key provided: ${String(call.headers.authorization)}`, type: 'auth' };
    response.writeHead(401, { 'content-type': 'application/json' }).end(JSON.stringify({ error }));
  };
  await ask(`${url}/invocations`, 'POST', headers, { message: 'Hello', agent_id: 'ceo' });
  model.answer = (response, call) => {
    const messages = call.body['messages'] as JsonObject[];
    const given = JSON.stringify({ expression: '1 + 1', password: planted['an argument of a tool'] });
    const next = messages.some(({ role }) => role === 'tool')
      ? saying('Done')
      : calling({ id: 'call-1', name: 'calculator', arguments: given });
    return next(response, call);
  };
  const worked = await ask(`${url}/invocations`, 'POST', headers, { message: 'Count', agent_id: 'ceo' });
  expect(worked).toMatchObject({ status: 'completed' });

  // Planes that quote all that they got.
  plane.answer = (response, { headers: got }) => {
    response.writeHead(401, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ error: 'refused', message: JSON.stringify(got), received: got }));
  };
  const action = await ask(`${url}/api/v1/fabric/actions`, 'POST', headers, {
    target_system: 'crm',
    action_type: 'update',
    entity_id: 'c-1',
    data: { tier: 'gold' },
  });
  const actionUrl = `${url}/api/v1/fabric/actions/${String(action['id'])}`;
  await vi.waitFor(async () => expect((await ask(actionUrl, 'GET', headers))['status']).toMatch(/failed|dead/), {
    timeout: 15_000,
    interval: 100,
  });
  await ask(`${url}/api/v1/fabric/planes`, 'GET', headers);
  expect(plane.received.length).toBeGreaterThan(0);

  // Callbacks, and what may stand in an address.
  await ask(`${url}/api/orchestrations`, 'POST', headers, {
    agent_ids: ['ceo'],
    task: { type: 'ask', data: {} },
    callback_url: `https://user:${planted['a password in an address']}@127.0.0.1:9/back`,
  });
  const secretQuery = `secret=${planted['a query parameter']}`;
  for (const path of ['/api/v1/aoa/runs', '/api/v1/nowhere', '/invocations/nothing', '/api/v1/aoa/events']) {
    await ask(`${url}${path}?${secretQuery}&format=json`, 'GET', headers);
    await ask(`${url}${path}?token=${ann}&format=json&api_key=${planted['a query parameter']}`, 'GET', {});
  }
  const late = token({ sub: 'bob', exp: 1_700_000_000 });
  found.set('a bearer token that has expired', late.split('.')[2] ?? '');
  await ask(`${url}/api/v1/aoa/runs`, 'GET', { authorization: `Bearer ${late}` });
  await ask(`${url}/invocations`, 'POST', { 'x-client-authorization': `Bearer ${late}` }, { message: 'Hello' });
  using refused = await openSocket(url, {}, `?access_token=${late}&${secretQuery}`);
  await refused.closed;
  seen.set('what a refused WebSocket got', JSON.stringify(refused.received));
  using socket = await openSocket(url, headers, `?${secretQuery}`);
  socket.send({ type: 'operation', operation: 'runs.list', input: {} });
  await socket.until(({ type }) => type === 'result');
  seen.set('what a WebSocket got', JSON.stringify(socket.received));

  for (const path of [
    '/openapi.json',
    '/api/health',
    '/api/v1/aoa/dashboard',
    '/metrics',
    '/api/v1/aoa/events?format=json',
    '/api/v1/aoa/deliveries',
    '/api/v1/governance/decisions',
    '/api/audit/trail',
  ]) {
    await ask(`${url}${path}`, 'GET', headers);
  }
  await ask(`${url}/api/v1/aoa/audit/export?people=true`, 'GET', { ...headers, accept: 'application/x-ndjson' });
  await stop(running, 'the container with tokens');
}

async function liveWithKeys(): Promise<void> {
  const made = makeApiKey({ name: 'canary', tenant: 'acme', roles: ['admin'] });
  found.set('an API key', made.key);
  const wrong = canary('wrongkey');
  found.set('an API key that is unknown', wrong);
  const running = await start({ AUTH_MODE: 'api-key', AOS_API_KEYS: JSON.stringify([made.record]) });
  for (const key of [made.key, wrong]) {
    await ask(`${running.url}/api/v1/aoa/runs`, 'GET', { 'x-api-key': key });
    await ask(`${running.url}/invocations`, 'POST', { authorization: `Bearer ${key}` }, { operation: 'runs.list' });
  }
  await stop(running, 'the container with keys');
}

async function dump(): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  const { rows } = await client.query<{ name: string }>(
    `select table_name as name from information_schema.tables where table_schema = 'aos' order by 1`,
  );
  for (const { name } of rows) {
    const { rows: whole } = await client.query<{ row: string }>(`select t::text as row from aos."${name}" t`);
    tables.set(name, whole.map(({ row }) => row).join('\n'));
  }
  await client.end();
}

/** Where a secret was seen; bytes that only look different (escaped, encoded) are looked for too. */
function placesOf(secret: string, places: Iterable<readonly [string, string]>): string[] {
  const forms = [secret, Buffer.from(secret).toString('base64').slice(0, -4), Buffer.from(secret).toString('hex')];
  return [...places].filter(([, text]) => forms.some((form) => text.includes(form))).map(([name]) => name);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aos-canary-'));
  const agents = [
    {
      agent_id: 'ceo',
      agent_type: 'LeadershipAgent',
      purpose: 'lead',
      adapter_name: 'leadership',
      capabilities: [],
      config: { tools: ['calculator'] },
    },
  ];
  await writeFile(join(folder, 'registry.json'), JSON.stringify({ agents }));
  const address = new URL(await createTestDatabase());
  address.password = planted["the database's password"];
  databaseUrl = address.href;
  sink = await startOtlpSink();
  model = await startModelServer();
  plane = await startReceiver();
  await liveWithTokens();
  await liveWithKeys();
  await dump();
  seen.set(
    'spans',
    JSON.stringify(sink.spans(), (_key, value) => (typeof value === 'bigint' ? String(value) : value)),
  );
  seen.set(
    'log records',
    JSON.stringify(sink.logs(), (_key, value) => (typeof value === 'bigint' ? String(value) : value)),
  );
}, 120_000);
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await sink?.close();
  await model?.[Symbol.asyncDispose]();
  await plane?.close();
  await rm(folder, { recursive: true, force: true });
});

describe('a secret', () => {
  test('was at work: whoever needs it got it', () => {
    expect(JSON.stringify(plane.received.map(({ headers }) => headers))).toContain(planted["a plane's token"]);
    expect(JSON.stringify(model.calls.map(({ headers }) => headers))).toContain(planted["the model's key"]);
    expect(sink.requests[0]?.headers['x-collector-key']).toBe(planted["the collector's key"]);
    expect(seen.get('spans')).toContain('[redacted]');
    expect(seen.get('spans')).toContain('1 + 1');
    expect(tables.get('audit_entries')).toContain('AUTH_FAIL');
    expect(found.size).toBeGreaterThanOrEqual(12);
  });

  test.each([
    ...Object.keys(planted),
    'a bearer token',
    'a bearer token that has expired',
    'an API key',
    'an API key that is unknown',
  ])('is nowhere to be seen: %s', (name) => {
    const secret = found.get(name) ?? '';
    expect(secret).not.toBe('');
    expect(placesOf(secret, seen)).toEqual([]);
    const kept = placesOf(secret, tables);
    // Steps are what a run is taken up from: there an argument is what the model gave.
    expect(name === 'an argument of a tool' ? kept.filter((table) => table !== 'run_steps') : kept).toEqual([]);
  });
});
