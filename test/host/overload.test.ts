import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { AgentServerOptions } from '../../src/index.ts';
import { startHost } from '../support/host.ts';

/** Limits under which a small flood is already one: a test need not make the machine suffer. */
const strict: AgentServerOptions = { overload: { turnBudgetMs: 5, patienceMs: 20, maxWaitMs: 40 } };

/** A host whose invocations compute for `costMs`. */
function busyHost(costMs: number, options: AgentServerOptions = {}) {
  return startHost((server) => {
    server.onInvoke(async (request) => {
      const body = await request.json();
      compute(costMs);
      return Response.json(body);
    });
    server.onWebSocket(async (socket) => {
      for await (const message of socket) await socket.send(message);
    });
  }, options);
}

function compute(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end) Math.sqrt(end);
}

function invoke(url: string): Promise<Response> {
  return fetch(`${url}/invocations`, {
    method: 'POST',
    headers: { 'x-request-id': 'asked-for' },
    body: '{"name":"Ada"}',
  });
}

function flood(url: string, count: number): Promise<Response[]> {
  return Promise.all(Array.from({ length: count }, () => invoke(url)));
}

function statuses(responses: readonly Response[]): Set<number> {
  return new Set(responses.map(({ status }) => status));
}

test('a flood is served in part and refused for the rest, and nobody is left without an answer', async () => {
  await using host = await busyHost(10, strict);
  const responses = await flood(host.url, 300);
  expect(statuses(responses)).toEqual(new Set([200, 503]));
  const served = responses.filter(({ status }) => status === 200);
  expect(await served[0]?.json()).toEqual({ name: 'Ada' });
});

test('a flood of handlers that wait first and compute later is no different', async () => {
  await using host = await startHost((server) => {
    server.onInvoke(async () => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      compute(10);
      return new Response();
    });
  }, strict);
  expect(statuses(await flood(host.url, 300))).toEqual(new Set([200, 503]));
});

test('a refusal says when to come back, whose fault it is, and which request it answers', async () => {
  await using host = await busyHost(10, strict);
  const refused = (await flood(host.url, 300)).find(({ status }) => status === 503);
  expect(refused?.headers.get('retry-after')).toBe('1');
  expect(refused?.headers.get('content-type')).toBe('application/json');
  expect(refused?.headers.get('x-platform-error-source')).toBe('platform');
  expect(refused?.headers.get('x-platform-server')).toMatch(/^aos-agent-server\//);
  expect(refused?.headers.get('x-request-id')).toBe('asked-for');
  // No invocation has come into being, so it has no id.
  expect(refused?.headers.has('x-agent-invocation-id')).toBe(false);
  expect(await refused?.json()).toEqual({
    error: { code: 'overloaded', message: expect.stringMatching(/Retry-After/) },
  });
});

test('readiness answers 200 in the middle of a flood', async () => {
  await using host = await busyHost(10, strict);
  const flooded = flood(host.url, 300);
  const checks: number[] = [];
  let over = false;
  void flooded.then(() => {
    over = true;
  });
  while (!over) checks.push((await fetch(`${host.url}/readiness?probe=1`)).status);
  expect(new Set(checks)).toEqual(new Set([200]));
  expect(statuses(await flooded)).toContain(503);
});

test('after a flood requests are served as before', async () => {
  await using host = await busyHost(10, strict);
  await flood(host.url, 300);
  for (let request = 0; request < 5; request++) expect((await invoke(host.url)).status).toBe(200);
});

test('a flood leaves a line in the log, not one for every refusal', async () => {
  await using host = await busyHost(10, strict);
  const responses = await flood(host.url, 300);
  const served = responses.filter(({ status }) => status === 200).length;
  const linesThatBegin = (beginning: string) =>
    host.records().filter(({ message }) => String(message).startsWith(beginning)).length;
  await expect.poll(() => linesThatBegin('Overloaded: ')).toBeGreaterThan(0);
  expect(linesThatBegin('Request completed: ')).toBe(served);
});

test('a burst of quick requests is served to the last', async () => {
  await using host = await busyHost(0);
  expect(statuses(await flood(host.url, 300))).toEqual(new Set([200]));
});

test('a slower burst waits its turn without a refusal when it does not last', async () => {
  await using host = await busyHost(5);
  expect(statuses(await flood(host.url, 30))).toEqual(new Set([200]));
});

test('hundreds of invocations that wait are in nobody’s way', async () => {
  const release = Promise.withResolvers<void>();
  await using host = await startHost((server) => {
    server.onInvoke(async (request) => {
      if (request.headers.has('x-client-wait')) await release.promise;
      return new Response('done');
    });
  });
  const waits = { method: 'POST', headers: { 'x-client-wait': 'yes' } };
  const waiting = Array.from({ length: 400 }, () => fetch(`${host.url}/invocations`, waits));
  expect(statuses(await flood(host.url, 100))).toEqual(new Set([200]));
  release.resolve();
  expect(statuses(await Promise.all(waiting))).toEqual(new Set([200]));
});

test('with overload off everything is served, however long it takes', async () => {
  await using host = await busyHost(10, { overload: false });
  expect(statuses(await flood(host.url, 200))).toEqual(new Set([200]));
});

test('who leaves the queue is not served in vain', async () => {
  let served = 0;
  await using host = await startHost((server) => {
    server.onInvoke(() => {
      served++;
      compute(20);
      return new Response();
    });
  });
  const client = new AbortController();
  const leaving = Array.from({ length: 100 }, () =>
    fetch(`${host.url}/invocations`, { method: 'POST', signal: client.signal }).catch(() => 'left'),
  );
  await Promise.race(leaving);
  client.abort();
  await Promise.all(leaving);
  await invoke(host.url);
  expect(served).toBeLessThan(100);
});

test('requests that wait are answered before the server stops', async () => {
  const host = await busyHost(10);
  const requests = Array.from({ length: 20 }, () => invoke(host.url));
  // By now all are accepted, and most wait.
  await Promise.all(requests.slice(0, 3));
  await host.server.close();
  expect(statuses(await Promise.all(requests))).toEqual(new Set([200]));
});

test('a WebSocket that is asked for in a flood is refused or served, and served again afterwards', async () => {
  await using host = await busyHost(10, strict);
  const flooded = flood(host.url, 300);
  const outcomes = await Promise.all(Array.from({ length: 10 }, () => openWebSocket(host.url)));
  expect(outcomes.filter((outcome) => outcome !== 'open' && outcome !== 503)).toEqual([]);
  await flooded;
  expect(await openWebSocket(host.url)).toBe('open');
});

/** Opens and closes a socket: `open`, or the status it was refused with. */
function openWebSocket(url: string): Promise<'open' | number> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/invocations_ws`);
    socket.on('open', () => {
      socket.close();
      resolve('open');
    });
    socket.on('unexpected-response', (_, response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    socket.on('error', reject);
  });
}
