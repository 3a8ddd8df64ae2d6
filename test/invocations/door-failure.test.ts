import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestContainer, type TestContainer } from '../support/container.ts';
import { allEvents, invocation, post } from '../support/invocations.ts';

// A provider that refuses the key: a failure that repeating does not mend.
const provider = createServer((_request, response) => {
  response.writeHead(401, { 'content-type': 'application/json' }).end('{"error":{"message":"secret-detail"}}');
});
let container: TestContainer;

beforeAll(async () => {
  await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve));
  const { port } = provider.address() as AddressInfo;
  const baseUrl = `http://127.0.0.1:${port}/v1`;
  container = await startTestContainer({ model: { provider: 'openai-compatible', baseUrl, model: 'm', apiKey: 'k' } });
});
afterAll(async () => {
  await container[Symbol.asyncDispose]();
  provider.close();
});

test('a run whose model fails answers 502 with the run and why, and nothing of the inside', async () => {
  const response = await post(`${container.url}/invocations`, { message: 'Hello' });
  expect(response.status).toBe(502);
  const text = await response.text();
  expect(JSON.parse(text)).toMatchObject({
    status: 'failed',
    result: null,
    simulated: false,
    error: { code: 'model_failed', message: expect.stringMatching(/\S/) },
  });
  expect(text).not.toContain('secret-detail');
});

test('its stream ends with the failure', async () => {
  const events = await allEvents(
    post(`${container.url}/invocations`, { message: 'Hello' }, { accept: 'text/event-stream' }),
  );
  expect(events.at(-1)).toMatchObject({ type: 'run.failed', error: { code: 'model_failed' } });
});

test('reading it later is no failure of the reader', async () => {
  const { invocation_id: id } = await invocation(post(`${container.url}/invocations`, { message: 'Hello' }));
  const response = await fetch(`${container.url}/invocations/${id}`);
  expect(response.status).toBe(200);
  expect(await invocation(response)).toMatchObject({ status: 'failed', error: { code: 'model_failed' } });
});
