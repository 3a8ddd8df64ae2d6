import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newUuid } from '../../src/core/ids.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { verifyBody } from '../../src/egress/signature.ts';
import { type ApiClient, createApiClient } from '../support/api.ts';
import { startTestContainer, type TestContainer } from '../support/container.ts';

const SECRET = 'a secret of sixteen';
type Received = { headers: IncomingHttpHeaders; text: string };

let receiver: Server;
let address: string;
const received: Received[] = [];
let container: TestContainer;
let api: ApiClient;

beforeAll(async () => {
  receiver = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    received.push({ headers: request.headers, text: Buffer.concat(chunks).toString() });
    response.end();
  }).listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  address = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;
  container = await startTestContainer({ runtime: { callbackSecret: SECRET, allowPrivateCallbacks: true } });
  api = createApiClient(container.url);
});
afterAll(async () => {
  await container?.[Symbol.asyncDispose]();
  receiver?.close();
});

const of = (id: string) => received.filter(({ text }) => JSON.parse(text).orchestration_id === id);
const submit = (body: JsonObject) =>
  api.post('/api/orchestrations', { agent_ids: ['ceo'], task: { type: 'review' }, ...body });

test('the result goes to the callback, signed, when the orchestration has ended', async () => {
  const id = newUuid();
  await submit({ orchestration_id: id, callback_url: `${address}/hook` });
  await expect.poll(() => of(id).length, { timeout: 10_000 }).toBe(1);
  const [{ headers, text } = { headers: {}, text: '' }] = of(id);
  expect(JSON.parse(text)).toMatchObject({ status: 'completed', summary: expect.stringMatching(/./) });
  expect(headers['x-aos-message-type']).toBe('orchestration_result');
  expect(verifyBody(SECRET, text, headers as Record<string, string>)).toBe(true);
  expect((await api.get(`/api/orchestrations/${id}/result`)).body).toEqual(JSON.parse(text));
});

test('a cancelled orchestration tells its callback that it is', async () => {
  const id = newUuid();
  await submit({ orchestration_id: id, purpose: 'Grow', task: null, callback_url: `${address}/hook` });
  await api.post(`/api/orchestrations/${id}/cancel`);
  await expect.poll(() => of(id).length, { timeout: 10_000 }).toBe(1);
  expect(JSON.parse(of(id)[0]?.text ?? '{}')).toMatchObject({ status: 'cancelled' });
});

test('who subscribes later hears as well, once', async () => {
  const id = newUuid();
  await submit({ orchestration_id: id });
  const subscribe = () => api.post(`/api/orchestrations/${id}/subscribe`, { callback_url: `${address}/later` });
  expect((await subscribe()).body['callback_url']).toBe(`${address}/later`);
  await subscribe();
  await expect.poll(() => of(id).length, { timeout: 10_000 }).toBe(1);
});

test('a submission that is refused leaves no callback behind', async () => {
  const id = newUuid();
  await submit({ orchestration_id: id });
  const other = await submit({ orchestration_id: id, agent_ids: ['cfo'], callback_url: `${address}/other` });
  expect(other.status).toBe(409);
  await api.post(`/api/orchestrations/${id}/subscribe`, { callback_url: `${address}/mine` });
  await expect.poll(() => of(id).length, { timeout: 10_000 }).toBe(1);
});

test('sent again after its end, as by a client that got no answer, it tells its callback once', async () => {
  const id = newUuid();
  const body = { orchestration_id: id, callback_url: `${address}/again` };
  await submit(body);
  await expect.poll(() => of(id).length, { timeout: 10_000 }).toBe(1);
  await submit(body);
  // What is sent at its end is sent after whatever the second call might have sent.
  const after = newUuid();
  await submit({ orchestration_id: after, callback_url: `${address}/after` });
  await expect.poll(() => of(after).length, { timeout: 10_000 }).toBe(1);
  expect(of(id)).toHaveLength(1);
});
