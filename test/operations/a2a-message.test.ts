import { afterAll, beforeAll, expect, test } from 'vitest';
import type { JsonObject } from '../../src/core/json.ts';
import { type ApiClient, createApiClient } from '../support/api.ts';
import { startTestContainer, type TestContainer } from '../support/container.ts';

let one: TestContainer;
let two: TestContainer;
let api: ApiClient;
const ann = { 'x-tenant-id': 'acme', 'x-agent-user-id': 'ann' };

beforeAll(async () => {
  one = await startTestContainer();
  two = await startTestContainer({ databaseUrl: one.databaseUrl });
  api = createApiClient(one.url);
  for (const id of ['scout', 'porter']) await api.post(`/api/v1/a2a/agents/${id}/register`, {}, ann);
});
afterAll(async () => {
  await two?.[Symbol.asyncDispose]();
  await one?.[Symbol.asyncDispose]();
});

/** Gives the porter something to know. @returns the id of the message */
async function tell(n: number): Promise<string> {
  const share = { from_agent: 'scout', to_agent: 'porter', context: { n } };
  const { status, body } = await api.post('/api/v1/a2a/context', share, ann);
  expect(status).toBe(201);
  return String(body['message_id']);
}

interface Seen {
  readonly id: number;
  readonly event: string;
  readonly n: unknown;
}

/** Reads an inbox as a stream until it has seen so many messages. */
async function* stream(url: string, headers: Record<string, string> = {}): AsyncGenerator<Seen> {
  const stop = new AbortController();
  const response = await fetch(`${url}/api/v1/a2a/agents/porter/inbox`, {
    headers: { ...ann, accept: 'text/event-stream', ...headers },
    signal: stop.signal,
  });
  expect(response.headers.get('content-type')).toBe('text/event-stream');
  let text = '';
  try {
    for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      text += chunk;
      for (let end = text.indexOf('\n\n'); end !== -1; end = text.indexOf('\n\n')) {
        const lines = new Map(
          text
            .slice(0, end)
            .split('\n')
            .map((line) => [line.split(':')[0], line.slice(line.indexOf(':') + 2)]),
        );
        text = text.slice(end + 2);
        const data = lines.get('data');
        if (data === undefined) continue;
        const { payload } = JSON.parse(data) as { payload: { context: JsonObject } };
        yield { id: Number(lines.get('id')), event: String(lines.get('event')), n: payload.context['n'] };
      }
    }
  } finally {
    stop.abort();
  }
}

test('an inbox that is followed, cut off and followed again elsewhere shows every message once', async () => {
  const total = 12;
  const telling = (async () => {
    for (let n = 0; n < total; n++) await tell(n);
  })();
  const seen: Seen[] = [];
  while (seen.length < total) {
    const last = seen.at(-1);
    const url = seen.length % 2 === 0 ? one.url : two.url;
    let few = 0;
    for await (const message of stream(url, last === undefined ? {} : { 'last-event-id': String(last.id) })) {
      seen.push(message);
      if (++few === 3 || seen.length === total) break;
    }
  }
  await telling;
  expect(seen.map(({ n }) => n)).toEqual(Array.from({ length: total }, (_, n) => n));
  expect(new Set(seen.map(({ event }) => event))).toEqual(new Set(['context_share']));
});

test('who waits for news gets it when it comes, from whatever process, and an empty page when none does', async () => {
  const { body: all } = await api.get('/api/v1/a2a/agents/porter/inbox?limit=500', ann);
  const after = all['next_after'];
  const waiting = createApiClient(two.url).get(`/api/v1/a2a/agents/porter/inbox?after=${after}&wait=30`, ann);
  const id = await tell(99);
  const { body } = await waiting;
  expect(body).toMatchObject({ messages: [{ id, payload: { context: { n: 99 } } }], next_after: Number(after) + 1 });
  const nothing = await api.get(`/api/v1/a2a/agents/porter/inbox?after=${body['next_after']}&wait=0.05`, ann);
  expect(nothing.body).toMatchObject({ messages: [], next_after: body['next_after'] });
});

test('an agent that answers by message is waited for', async () => {
  const answering = (async () => {
    for await (const { id } of stream(two.url, { 'last-event-id': '0' })) {
      const { body } = await api.get(`/api/v1/a2a/agents/porter/inbox?after=${id - 1}&limit=1`, ann);
      const [letter] = body['messages'] as JsonObject[];
      if (letter?.['type'] !== 'ping') continue;
      const pong = { type: 'PONG', from_agent: 'porter', in_reply_to: letter['id'] ?? '', payload: { load: 3 } };
      return api.post('/api/v1/a2a/messages', pong, ann);
    }
    throw new Error('the stream ended');
  })();
  const ping = { type: 'ping', from_agent: 'scout', to_agent: 'porter', payload: { context: {} } };
  const { body } = await api.post('/api/v1/a2a/messages?wait=30', ping, ann);
  expect(body).toMatchObject({
    status: 'answered',
    reply: { type: 'pong', payload: { load: 3 }, in_reply_to: body['message_id'] },
  });
  await answering;
  const { body: kept } = await api.get(`/api/v1/a2a/messages/${body['message_id']}`, ann);
  expect(kept).toMatchObject({ message: { type: 'ping' }, reply: { type: 'pong' } });
});

test.each([
  ['to nothing', { type: 'pong', from_agent: 'porter' }, 422, 'INVALID_REQUEST'],
  [
    'to a message that is not there',
    { type: 'pong', from_agent: 'porter', in_reply_to: 'none' },
    404,
    'MESSAGE_NOT_FOUND',
  ],
  ['of a type that there is not', { type: 'shout', from_agent: 'porter' }, 422, 'INVALID_REQUEST'],
  ['to the wrong agent', { type: 'ping', from_agent: 'porter', to_agent: 'nobody' }, 404, 'AGENT_NOT_FOUND'],
])('a message %s is refused', async (_what, message, status, code) => {
  expect(await api.post('/api/v1/a2a/messages', message, ann)).toMatchObject({ status, body: { code } });
});

test('an answer to a message that has expired comes too late', async () => {
  const expires = new Date(Date.now() + 400).toISOString();
  const ping = { type: 'ping', from_agent: 'scout', to_agent: 'porter', expires_at: expires };
  const { body } = await api.post('/api/v1/a2a/messages?wait=1', ping, ann);
  expect(body).toMatchObject({ status: 'delivered', reply: null });
  const pong = { type: 'pong', from_agent: 'porter', in_reply_to: body['message_id'] ?? '' };
  expect(await api.post('/api/v1/a2a/messages', pong, ann)).toMatchObject({ status: 422, body: { code: 'EXPIRED' } });
});
