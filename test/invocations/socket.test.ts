import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { JsonObject } from '../../src/core/json.ts';
import { startTestContainer, type TestContainer } from '../support/container.ts';
import { allEvents, BOARD_REVIEW } from '../support/invocations.ts';

let container: TestContainer;

beforeAll(async () => {
  container = await startTestContainer();
});
afterAll(() => container[Symbol.asyncDispose]());

interface Client extends Disposable {
  send(message: unknown): void;
  /** The next messages, up to and with the first that `isLast`. */
  until(isLast: (message: JsonObject) => boolean): Promise<JsonObject[]>;
}

async function connect(headers: Record<string, string> = {}): Promise<Client> {
  const socket = new WebSocket(container.url.replace('http', 'ws').concat('/invocations_ws'), { headers });
  const received: JsonObject[] = [];
  let news = Promise.withResolvers<void>();
  socket.on('message', (data) => {
    received.push(JSON.parse(String(data)) as JsonObject);
    news.resolve();
    news = Promise.withResolvers();
  });
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  return {
    send: (message) =>
      socket.send(typeof message === 'string' || Buffer.isBuffer(message) ? message : JSON.stringify(message)),
    async until(isLast) {
      for (;;) {
        const index = received.findIndex(isLast);
        if (index !== -1) return received.splice(0, index + 1);
        await news.promise;
      }
    },
    [Symbol.dispose]: () => socket.close(),
  };
}

const ends = (id: string) => (message: JsonObject) =>
  message['type'] === 'run.completed' && message['invocation_id'] === id;
const isError = (message: JsonObject) => message['type'] === 'error';

test('several runs share a connection, each with all its events in order', async () => {
  using client = await connect();
  client.send({ ...BOARD_REVIEW, invocation_id: 'ws-1' });
  client.send({ message: 'Hello', invocation_id: 'ws-2' });
  const open = new Set(['ws-1', 'ws-2']);
  // Either may end first.
  const messages = await client.until((message) => {
    for (const id of open) if (ends(id)(message)) open.delete(id);
    return open.size === 0;
  });
  for (const id of ['ws-1', 'ws-2']) {
    const overHttp = await allEvents(
      fetch(`${container.url}/invocations/${id}`, { headers: { accept: 'text/event-stream' } }),
    );
    const events = messages.filter((message) => message['invocation_id'] === id && message['type'] !== 'end');
    expect(events).toEqual(overHttp);
  }
});

test('a run without an id gets one', async () => {
  using client = await connect();
  client.send({ message: 'Hello' });
  const [queued] = await client.until(({ type }) => type === 'run.queued');
  expect(queued?.['invocation_id']).toMatch(/^[0-9a-f-]{36}$/);
});

test('a typed frame is answered with what it names, and the run followed to its end', async () => {
  using client = await connect();
  client.send({ type: 'invoke', request_id: 'r1', invocation_id: 'ws-5', body: { message: 'Hello' } });
  const messages = await client.until(({ type }) => type === 'end');
  expect(messages[0]).toMatchObject({ type: 'accepted', request_id: 'r1', outcome: 'created', invocation_id: 'ws-5' });
  expect(messages.at(-2)).toMatchObject({ type: 'run.completed', invocation_id: 'ws-5' });
  const { seq } = messages.at(-2) ?? {};
  expect(messages.at(-1)).toEqual({ type: 'end', invocation_id: 'ws-5', seq, reason: 'ended' });
});

test('another connection follows from the number it has, and joins by the same request', async () => {
  using first = await connect();
  first.send({ type: 'invoke', invocation_id: 'ws-6', body: { message: 'Hello' } });
  const all = (await first.until(({ type }) => type === 'end')).slice(0, -1);
  using second = await connect();
  second.send({ type: 'follow', invocation_id: 'ws-6', after: 2 });
  expect((await second.until(({ type }) => type === 'end')).slice(0, -1)).toEqual(all.slice(2));
  second.send({ type: 'invoke', request_id: 'again', invocation_id: 'ws-6', body: { message: 'Hello' }, after: 3 });
  const [accepted, ...rest] = await second.until(({ type }) => type === 'end');
  expect(accepted).toMatchObject({ type: 'accepted', outcome: 'joined', status: 'completed' });
  expect(rest.slice(0, -1)).toEqual(all.slice(3));
});

test('a window holds back the events of its run alone', async () => {
  using client = await connect();
  client.send({ type: 'invoke', invocation_id: 'ws-7', body: { message: 'Hello' }, window: 1 });
  client.send({ type: 'invoke', invocation_id: 'ws-8', body: { message: 'Hello' } });
  const messages = await client.until((message) => message['type'] === 'end' && message['invocation_id'] === 'ws-8');
  const held = messages.filter((message) => message['invocation_id'] === 'ws-7');
  expect(held).toHaveLength(1);
  let seq = 1;
  for (;;) {
    client.send({ type: 'ack', invocation_id: 'ws-7', seq });
    const [next] = await client.until((message) => message['invocation_id'] === 'ws-7');
    if (next?.['type'] === 'end') break;
    expect(next?.['seq']).toBe(seq + 1);
    seq += 1;
  }
});

test('unfollowing ends the events, not the run', async () => {
  using client = await connect();
  client.send({ type: 'invoke', invocation_id: 'ws-9', body: { message: 'Hello' }, window: 1 });
  await client.until(({ type }) => type === 'run.queued');
  client.send({ type: 'unfollow', invocation_id: 'ws-9' });
  expect(await client.until(({ type }) => type === 'end')).toMatchObject([{ seq: 1, reason: 'unfollowed' }]);
  client.send({ type: 'follow', invocation_id: 'ws-9', after: 1 });
  await client.until(ends('ws-9'));
});

test('a run can be started without following it, and asked for', async () => {
  using client = await connect();
  client.send({ type: 'invoke', request_id: 'r', invocation_id: 'ws-10', body: { message: 'Hello' }, follow: false });
  await client.until(({ type }) => type === 'accepted');
  client.send({ type: 'get', request_id: 'g', invocation_id: 'ws-10' });
  const messages = await client.until(({ type }) => type === 'invocation');
  expect(messages).toMatchObject([{ type: 'invocation', request_id: 'g', invocation_id: 'ws-10' }]);
});

test.each<[unknown, object]>([
  [
    { type: 'ping', request_id: 'p' },
    { type: 'pong', request_id: 'p' },
  ],
  [
    { type: 'operation', request_id: 'o', operation: 'nothing.here' },
    { type: 'error', request_id: 'o', error: { message: expect.stringContaining('there is no operation') } },
  ],
  [
    { type: 'follow', request_id: 'f', invocation_id: 'nowhere' },
    { type: 'error', request_id: 'f', invocation_id: 'nowhere', error: { code: 'not_found' } },
  ],
  [
    { type: 'ack', invocation_id: 'nowhere', seq: 1 },
    { type: 'error', error: { message: expect.stringContaining('does not follow') } },
  ],
])('%j is answered %j', async (frame, answer) => {
  using client = await connect();
  client.send(frame);
  expect(await client.until(() => true)).toMatchObject([answer]);
});

test.each<[string, unknown, string]>([
  ['what is not JSON', '{"message": }', 'the message is not valid JSON'],
  ['what is not an object', '[]', 'a message must be a JSON object'],
  ['bytes', Buffer.from('{}'), 'a message must be text (JSON), got a binary one'],
  ['an unknown agent', { message: 'Hello', agent_id: 'nobody' }, 'there is no agent "nobody"'],
  ['an id that is none', { message: 'Hello', invocation_id: 'a b' }, 'an invocation id must be'],
  ['a cancel of nothing', { cancel: 'nothing' }, 'there is no invocation "nothing"'],
])('%s is answered with an error, and the connection goes on', async (_title, message, text) => {
  using client = await connect();
  client.send(message);
  const [error] = await client.until(isError);
  expect(error).toMatchObject({ type: 'error', error: { message: expect.stringContaining(text) } });
  client.send({ message: 'Hello' });
  await client.until(({ type }) => type === 'run.completed');
});

test('a cancel answers with the run as it is', async () => {
  using client = await connect();
  client.send({ message: 'Hello', invocation_id: 'ws-3' });
  await client.until(ends('ws-3'));
  client.send({ cancel: 'ws-3' });
  const answer = (await client.until(({ type }) => type === 'invocation')).at(-1);
  expect(answer).toMatchObject({ invocation_id: 'ws-3', status: 'completed' });
});

test("another user's run is not found", async () => {
  using ann = await connect({ 'x-agent-user-id': 'ann' });
  using bob = await connect({ 'x-agent-user-id': 'bob' });
  ann.send({ message: 'Hello', invocation_id: 'ws-4' });
  await ann.until(ends('ws-4'));
  bob.send({ cancel: 'ws-4' });
  expect(await bob.until(isError)).toMatchObject([{ invocation_id: 'ws-4', error: { code: 'not_found' } }]);
});
