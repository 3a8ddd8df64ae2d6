/**
 * The Python clients of the seed systems, played: the requests they send, byte for byte as their HTTP library writes
 * them, and the rules by which they refuse an answer. Generation 2 submits finite work and polls it; generation 7
 * submits perpetual work and stops it.
 */
import { execFile } from 'node:child_process';
import { request as httpRequest } from 'node:http';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newUuid } from '../../src/core/ids.ts';
import type { JsonObject, JsonValue } from '../../src/core/json.ts';
import { startTestContainer, type TestContainer } from '../support/container.ts';

const run = promisify(execFile);
let container: TestContainer;

beforeAll(async () => {
  container = await startTestContainer();
});
afterAll(() => container?.[Symbol.asyncDispose]());

/** Python's `json.dumps`: a blank after each colon and comma, everything outside ASCII escaped. */
function pythonJson(value: JsonValue): string {
  if (Array.isArray(value)) return `[${value.map(pythonJson).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    return `{${Object.entries(value)
      .map(([name, member]) => `${pythonJson(name)}: ${pythonJson(member)}`)
      .join(', ')}}`;
  }
  const text = JSON.stringify(value);
  return text.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** One request as aiohttp writes it. Throws where the clients would: on a status from 400, on a type that is not JSON. */
function ask(method: string, path: string, body?: JsonValue): Promise<JsonObject> {
  const content = body === undefined ? undefined : Buffer.from(pythonJson(body));
  const { host, port, hostname } = new URL(container.url);
  return new Promise((resolve, reject) => {
    const call = httpRequest(
      {
        method,
        host: hostname,
        port,
        path,
        headers: {
          Host: host,
          Accept: '*/*',
          'Accept-Encoding': 'gzip, deflate',
          'User-Agent': 'Python/3.11 aiohttp/3.9.5',
          ...(content !== undefined && { 'Content-Length': content.length, 'Content-Type': 'application/json' }),
        },
      },
      async (response) => {
        const chunks: Buffer[] = [];
        for await (const chunk of response) chunks.push(chunk);
        const text = Buffer.concat(chunks).toString();
        const { statusCode = 0 } = response;
        if (statusCode >= 400) return reject(new Error(`${statusCode} ${text}`));
        if (method === 'DELETE') return resolve({ status: statusCode });
        const type = response.headers['content-type']?.split(';')[0];
        if (type !== 'application/json') return reject(new Error(`unexpected mimetype: ${type}`));
        resolve(JSON.parse(text) as JsonObject);
      },
    );
    call.on('error', reject);
    call.end(content);
  });
}

type Generation = { words: readonly string[]; hasProgress: boolean };
const SECOND: Generation = { words: ['pending', 'running', 'completed', 'failed', 'cancelled'], hasProgress: true };
const SEVENTH: Generation = { words: ['pending', 'active', 'stopped', 'failed', 'cancelled'], hasProgress: false };

/** What the client's model of a status insists on. */
function status(answer: JsonObject, { words, hasProgress }: Generation): JsonObject {
  expect(typeof answer['orchestration_id']).toBe('string');
  expect(words).toContain(answer['status']);
  for (const id of answer['agent_ids'] as string[]) expect(typeof id).toBe('string');
  for (const name of ['created_at', 'updated_at']) expect(Date.parse(String(answer[name]))).not.toBeNaN();
  expect(answer['error'] === null || typeof answer['error'] === 'string').toBe(true);
  if (hasProgress) {
    expect(answer['progress']).toBeGreaterThanOrEqual(0);
    expect(answer['progress']).toBeLessThanOrEqual(1);
  }
  return answer;
}

function agent(entry: JsonObject): JsonObject {
  for (const name of ['agent_id', 'agent_type', 'purpose', 'adapter_name']) expect(typeof entry[name]).toBe('string');
  expect(Array.isArray(entry['capabilities'])).toBe(true);
  expect(typeof entry['config']).toBe('object');
  return entry;
}

const listAgents = async (query = '') =>
  ((await ask('GET', `/api/realm/agents${query}`))['agents'] as JsonObject[]).map(agent);

describe('a client of generation 2', () => {
  const submit = async (agentIds: unknown[], workflow: string, task: JsonObject): Promise<JsonObject> =>
    status(
      await ask('POST', '/api/orchestrations', {
        orchestration_id: newUuid(),
        agent_ids: agentIds.map(String),
        workflow,
        task,
        config: {},
        callback_url: null,
      }),
      SECOND,
    );

  test('browses the catalogue, runs an orchestration to its end and reads the result', async () => {
    const agents = await listAgents();
    const leaders = agents.filter((one) => one['agent_type'] === 'LeadershipAgent').map((one) => one['agent_id']);
    const { agent_id: marketing } = agent(await ask('GET', '/api/realm/agents/cmo'));
    const submitted = await submit([...leaders.slice(0, 2), marketing], 'collaborative', {
      type: 'strategic_review',
      data: { quarter: 'Q1-2026', note: 'für alle – 価格' },
    });
    const path = `/api/orchestrations/${submitted['orchestration_id']}`;
    let last = submitted;
    while (['pending', 'running'].includes(String(last['status']))) last = status(await ask('GET', path), SECOND);
    expect(last['status']).toBe('completed');
    const result = await ask('GET', `${path}/result`);
    expect(result['status']).toBe('completed');
    expect(typeof result['results']).toBe('object');
    expect(typeof result['summary']).toBe('string');
    expect(typeof result['duration_seconds']).toBe('number');
  });

  test('cancels, and hears of what cannot be cancelled as an error of the status', async () => {
    const { orchestration_id: id } = await submit(['ceo', 'cfo'], 'sequential', { type: 'x', data: {} });
    const cancelled = await ask('POST', `/api/orchestrations/${id}/cancel`, {}).catch((failure: Error) => failure);
    if (cancelled instanceof Error) expect(cancelled.message).toMatch(/^409 .*Cannot cancel orchestration/);
    else expect(status(cancelled, SECOND)['status']).toBe('cancelled');
    await expect(ask('POST', `/api/orchestrations/${id}/cancel`, {})).rejects.toThrow(/^409/);
  });

  test('asks for the health', async () => {
    expect(await ask('GET', '/api/health')).toMatchObject({ status: 'healthy', registered_apps: [] });
  });
});

describe('a client of generation 7', () => {
  const start = async (agentIds: string[]): Promise<JsonObject> =>
    status(
      await ask('POST', '/api/orchestrations', {
        orchestration_id: newUuid(),
        agent_ids: agentIds,
        workflow: 'collaborative',
        purpose: { purpose: 'Drive growth', purpose_scope: 'General orchestration scope' },
        context: { quarter: 'Q1-2026' },
        config: {},
        callback_url: null,
        mcp_servers: {},
      }),
      SEVENTH,
    );

  test('starts work with a purpose, looks at it and stops it', async () => {
    const started = await start(['ceo', 'cmo']);
    expect(started['purpose']).toBe('Drive growth');
    const path = `/api/orchestrations/${started['orchestration_id']}`;
    await expect.poll(async () => status(await ask('GET', path), SEVENTH)['status']).toBe('active');
    expect(status(await ask('POST', `${path}/stop`, {}), SEVENTH)['status']).toBe('stopped');
  });

  test('cancels it', async () => {
    const { orchestration_id: id } = await start(['ceo']);
    const cancelled = status(await ask('POST', `/api/orchestrations/${id}/cancel`, {}), SEVENTH);
    expect(cancelled['status']).toBe('cancelled');
  });

  test('uses the rest of the surface, and every answer is JSON', async () => {
    expect((await listAgents('?agent_type=CMOAgent')).map((one) => one['agent_id'])).toEqual(['cmo']);
    const answer = await ask('POST', '/api/agents/cfo/ask', { message: 'Where do we stand?', context: { a: 1 } });
    expect(answer).toMatchObject({ agent_id: 'cfo', message: expect.stringMatching(/./), context: { a: 1 } });
    expect(await ask('POST', '/api/agents/cfo/send', { text: 'The numbers are in.' })).toBeTypeOf('object');
    expect(await ask('POST', '/api/metrics', { name: 'orders', value: 12.5, tags: {} })).toBeTypeOf('object');
    const points = (await ask('GET', '/api/metrics?name=orders'))['data_points'] as JsonObject[];
    expect(points).toMatchObject([{ value: 12.5, tags: {} }]);
    const decision = await ask('POST', '/api/audit/decisions', { title: 'Wait', rationale: 'Too early' });
    expect(decision).toMatchObject({ id: expect.any(String), title: 'Wait' });
    expect((await ask('GET', '/api/audit/decisions'))['decisions']).toHaveLength(1);
    const since = encodeURIComponent('2020-01-01T00:00:00');
    const entries = (await ask('GET', `/api/audit/trail?start_time=${since}`))['entries'] as JsonObject[];
    for (const name of ['id', 'event_type', 'subject_id', 'action']) expect(entries[0]?.[name]).toBeTypeOf('string');
    expect((await ask('GET', '/api/mcp/servers'))['servers']).toEqual([]);
    const app = await ask('POST', '/api/apps/register', { app_name: 'infinity', workflows: ['review'], app_id: null });
    expect(app).toMatchObject({ app_name: 'infinity', status: 'provisioned' });
    expect(await ask('DELETE', '/api/apps/infinity')).toEqual({ status: 204 });
  });
});

const hasPython = await run('python3', ['--version']).then(
  () => true,
  () => false,
);

describe('a program in Python', () => {
  test.skipIf(!hasPython)(
    'submits, polls and reads with nothing but its standard library (needs python3)',
    async () => {
      const program = `
import json, sys, time, urllib.request, uuid
base = sys.argv[1]
def ask(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(base + path, data, {"Content-Type": "application/json"} if data else {})
    with urllib.request.urlopen(request) as answer:
        assert answer.headers.get_content_type() == "application/json"
        return json.load(answer)
name = str(uuid.uuid4())
sent = ask("/api/orchestrations", {"orchestration_id": name, "agent_ids": ["ceo", "cfo"], "workflow": "collaborative",
    "task": {"type": "review", "data": {"note": "für alle"}}, "config": {}, "callback_url": None})
while sent["status"] in ("pending", "running"):
    time.sleep(0.05)
    sent = ask("/api/orchestrations/" + name)
print(json.dumps([sent["status"], sorted(ask("/api/orchestrations/" + name + "/result")["results"])]))
`;
      const { stdout } = await run('python3', ['-c', program, container.url]);
      expect(JSON.parse(stdout)).toEqual(['completed', ['ceo', 'cfo']]);
    },
  );
});
