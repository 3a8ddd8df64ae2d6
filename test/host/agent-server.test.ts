import { setTimeout as delay } from 'node:timers/promises';
import { Hono } from 'hono';
import { describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import {
  AgentServer,
  ClientGoneError,
  ConfigurationError,
  currentCall,
  ServerStoppingError,
  SocketClosedError,
} from '../../src/index.ts';
import { startHost } from '../support/host.ts';

const post = (url: string, init: RequestInit = {}) => fetch(`${url}/invocations`, { method: 'POST', ...init });

describe('a handler', () => {
  test('reads a web Request and answers with a web Response', async () => {
    await using host = await startHost((server) => {
      server.onInvoke(async (request) => {
        const { name } = (await request.json()) as { name: string };
        return Response.json({ greeting: `Hello, ${name}!` });
      });
    });
    const response = await post(host.url, { body: '{"name":"Ada"}' });
    expect(await response.json()).toEqual({ greeting: 'Hello, Ada!' });
    expect(response.headers.get('content-length')).toBe('26');
  });

  test('finds its call in async-local storage, also below awaits and while its stream is written', async () => {
    await using host = await startHost((server) => {
      server.onInvoke(async () => {
        await delay(1);
        const before = currentCall()?.invocationId;
        const body = new ReadableStream({
          async pull(controller) {
            await delay(1);
            controller.enqueue(new TextEncoder().encode(`${before} ${currentCall()?.invocationId}`));
            controller.close();
          },
        });
        return new Response(body);
      });
    });
    const response = await post(host.url, { headers: { 'x-agent-invocation-id': 'mine' } });
    expect(await response.text()).toBe('mine mine');
  });

  test.each([
    ['an ArrayBuffer', () => new Response(new TextEncoder().encode('body').buffer)],
    ['a Blob', () => new Response(new Blob(['body']))],
    ['URL parameters', () => new Response(new URLSearchParams('body'))],
    ['a response that was cloned', () => new Response('body').clone()],
  ])('may answer with %s, which gets a content-length', async (_name, respond) => {
    await using host = await startHost((server) => server.onInvoke(respond));
    const response = await post(host.url);
    expect(await response.text()).toMatch(/^body=?$/);
    expect(response.headers.get('content-length')).toMatch(/^[45]$/);
  });

  test('may stream an async generator', async () => {
    async function* words() {
      yield new TextEncoder().encode('one ');
      await delay(5);
      yield new TextEncoder().encode('two');
    }
    await using host = await startHost((server) => {
      server.onInvoke(() => new Response(ReadableStream.from(words())));
    });
    const response = await post(host.url);
    expect(await response.text()).toBe('one two');
    expect(response.headers.get('content-length')).toBeNull();
  });

  test('that sets a header no response may hold still answers, without it, and the log says so', async () => {
    await using host = await startHost((server) => {
      server.onInvoke(() => new Response('fine', { headers: { 'x-good': '1', 'x-bad': 'a\u4e16' } }));
    });
    const response = await post(host.url);
    expect(await response.text()).toBe('fine');
    expect(response.headers.get('x-good')).toBe('1');
    expect(host.records().some((record) => /x-bad/.test(String(record['message'])))).toBe(true);
  });

  test.each([
    ['nothing', () => undefined as unknown as Response],
    ['a status that is none', () => new Response('x', { status: 99 })],
    ['a body that is being read', lockedResponse],
  ])('that returns %s gets an internal error, and the log says why', async (_name, respond) => {
    await using host = await startHost((server) => server.onInvoke(respond));
    const response = await post(host.url);
    expect(response.status).toBe(500);
    expect(await response.json()).toEqual({ error: { code: 'internal_error', message: 'Internal server error' } });
    expect(host.records().some((record) => record['level'] === 'ERROR')).toBe(true);
  });

  test('replaces the one registered before, and the log names both', async () => {
    await using host = await startHost((server) => {
      server.onInvoke(function first() {
        return new Response('first');
      });
      server.onInvoke(function second() {
        return new Response('second');
      });
    });
    expect(await (await post(host.url)).text()).toBe('second');
    expect(host.records()).toContainEqual(
      expect.objectContaining({ level: 'WARNING', message: expect.stringMatching(/second replaces first/) }),
    );
  });
});

describe('the signal of a call', () => {
  test('fires when the client leaves, and says so', async () => {
    const started = Promise.withResolvers<void>();
    const reason = Promise.withResolvers<unknown>();
    await using host = await startHost((server) => {
      server.onInvoke(async (_request, { signal }) => {
        started.resolve();
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        reason.resolve(signal.reason);
        return new Response();
      });
    });
    const client = new AbortController();
    const gone = expect(post(host.url, { signal: client.signal })).rejects.toThrow();
    await started.promise;
    client.abort();
    await gone;
    expect(await reason.promise).toBeInstanceOf(ClientGoneError);
  });

  test('fires when the server begins to stop, while the request’s own does not; the answer still arrives', async () => {
    const started = Promise.withResolvers<void>();
    await using host = await startHost((server) => {
      server.onInvoke(async (request, { signal }) => {
        started.resolve();
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        return Response.json({
          stopping: signal.reason instanceof ServerStoppingError,
          clientGone: request.signal.aborted,
        });
      });
    });
    const answer = post(host.url);
    await started.promise;
    const closed = host.server.close();
    const response = await answer;
    expect(await response.json()).toEqual({ stopping: true, clientGone: false });
    expect(response.headers.get('connection')).toBe('close');
    await closed;
  });
});

describe('paths beside the protocol', () => {
  test('are answered by the app that was given, a Hono app for one', async () => {
    const app = new Hono();
    app.get('/hello', (c) => c.text('hello'));
    app.get('/broken', () => {
      throw 'not even an error';
    });
    await using host = await startHost(() => {}, { app });
    expect(await (await fetch(`${host.url}/hello`)).text()).toBe('hello');
    expect((await fetch(`${host.url}/nope`)).status).toBe(404);
    const broken = await fetch(`${host.url}/broken`);
    expect(broken.status).toBe(500);
    expect(await broken.text()).toContain('internal_error');
    expect(broken.headers.get('x-platform-server')).toMatch(/^aos-agent-server/);
  });
});

describe('a WebSocket handler', () => {
  test('receives what was sent before it began to read, and learns how the client left', async () => {
    const end = Promise.withResolvers<unknown>();
    const messages: unknown[] = [];
    await using host = await startHost((server) => {
      server.onWebSocket(async (socket) => {
        await delay(50);
        try {
          for (;;) messages.push(await socket.receive());
        } catch (thrown) {
          end.resolve(thrown);
        }
      });
    });
    const client = await connect(host.url);
    client.send('text');
    client.send(Buffer.from([1, 2]));
    client.close(4001, 'enough');
    expect(await end.promise).toEqual(new SocketClosedError(4001, 'enough'));
    expect(messages).toEqual(['text', Buffer.from([1, 2])]);
  });

  test('is slowed down by a client that does not read', async () => {
    let sent = 0;
    await using host = await startHost((server) => {
      server.onWebSocket(async (socket) => {
        const chunk = new Uint8Array(256 * 1024);
        while (!socket.signal.aborted) {
          await socket.send(chunk);
          sent += 1;
        }
      });
    });
    const client = await connect(host.url);
    client.pause();
    const before = await stable(() => sent);
    client.resume();
    await expect.poll(() => sent).toBeGreaterThan(before + 10);
    client.terminate();
  });

  test('that does not read makes the client wait instead of filling memory', async () => {
    const proceed = Promise.withResolvers<void>();
    let received = 0;
    await using host = await startHost((server) => {
      server.onWebSocket(async (socket) => {
        await proceed.promise;
        for await (const _message of socket) received += 1;
      });
    });
    const client = await connect(host.url);
    const chunk = Buffer.alloc(256 * 1024);
    for (let index = 0; index < 400; index += 1) client.send(chunk);
    const waiting = await stable(() => client.bufferedAmount);
    expect(waiting).toBeGreaterThan(0);
    proceed.resolve();
    await expect.poll(() => received, { timeout: 10_000 }).toBe(400);
    client.close();
  });

  test('cannot send after it has closed the connection, and its signal says so', async () => {
    const failed = Promise.withResolvers<unknown>();
    await using host = await startHost((server) => {
      server.onWebSocket(async (socket, { signal }) => {
        socket.close(4000);
        expect([socket.signal.aborted, signal.aborted]).toEqual([true, true]);
        failed.resolve(await socket.send('late').catch((thrown: unknown) => thrown));
      });
    });
    await connect(host.url);
    expect(await failed.promise).toBeInstanceOf(SocketClosedError);
  });
});

describe('starting', () => {
  test('on a port that is taken fails with one sentence that names it', async () => {
    await using host = await startHost(() => {});
    const port = Number(new URL(host.url).port);
    const second = new AgentServer({
      port,
      hostname: '127.0.0.1',
      signals: false,
      environment: {},
      logSink: { write: () => {} },
    });
    await expect(second.listen()).rejects.toThrow(ConfigurationError);
    await expect(second.listen()).rejects.toThrow(new RegExp(`port ${port} .*already in use`));
  });

  test('with a blank identity segment fails', () => {
    expect(() => new AgentServer({ environment: {}, serverIdentity: [' '] })).toThrow(ConfigurationError);
  });
});

function lockedResponse(): Response {
  const body = new ReadableStream();
  body.getReader();
  return new Response(body);
}

async function connect(url: string): Promise<WebSocket> {
  const client = new WebSocket(`${url.replace('http', 'ws')}/invocations_ws`);
  await new Promise((resolve, reject) => client.once('open', resolve).once('error', reject));
  return client;
}

/** The value once it has stopped changing. */
async function stable(read: () => number): Promise<number> {
  for (let last = read(); ; ) {
    await delay(200);
    const now = read();
    if (now === last) return now;
    last = now;
  }
}
