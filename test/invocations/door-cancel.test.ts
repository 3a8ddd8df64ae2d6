import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { errorSchema } from '../../src/invocations/event-schema.ts';
import { startTestContainer, type TestContainer } from '../support/container.ts';
import { allEvents, BOARD_REVIEW, eventsOf, invocation, post, type SeenEvent } from '../support/invocations.ts';

const STREAM = { accept: 'text/event-stream' };
let container: TestContainer;
let invocations: string;

// Slow enough that no run here ever ends by itself: what ends it is what the test is about.
beforeAll(async () => {
  container = await startTestContainer({ model: { provider: 'simulated', firstTokenMs: 0, tokenMs: 10_000 } });
  invocations = `${container.url}/invocations`;
});
afterAll(() => container[Symbol.asyncDispose]());

/** Starts a run and follows it; resolves once a model call has begun to answer. */
async function startedRun(body: object = BOARD_REVIEW) {
  const id = randomUUID();
  const response = await post(invocations, body, { ...STREAM, 'x-agent-invocation-id': id });
  const iterator = eventsOf(response);
  const seen: SeenEvent[] = [];
  while (seen.at(-1)?.type !== 'turn.delta') {
    const next = await iterator.next();
    if (next.done) throw new Error('the run ended by itself');
    seen.push(next.value);
  }
  return {
    id,
    async rest() {
      for await (const event of iterator) seen.push(event);
      return seen;
    },
  };
}

const cancel = (id: string, body: unknown = '') => post(`${invocations}/${id}/cancel`, body);

describe('a cancel', () => {
  test('reaches the model call, and every follower hears why', async () => {
    const { id, rest } = await startedRun();
    const response = await cancel(id, { reason: 'wrong quarter' });
    expect(response.status).toBe(200);
    expect(await invocation(response)).toMatchObject({
      invocation_id: id,
      status: 'cancelled',
      result: null,
      error: { code: 'cancelled', message: 'wrong quarter' },
    });
    const events = await rest();
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
    expect(events.at(-1)).toMatchObject({ type: 'run.cancelled', reason: 'wrong quarter' });
    // Text that was being written when the request came may still follow it.
    const asked = events.findLastIndex(({ type }) => type !== 'turn.delta' && type !== 'run.cancelled');
    expect(events[asked]).toMatchObject({ type: 'run.cancel_requested', reason: 'wrong quarter' });
  });

  test('needs no body', async () => {
    const { id } = await startedRun({ message: 'Hello' });
    expect(await invocation(cancel(id))).toMatchObject({
      error: { code: 'cancelled', message: 'cancelled by the caller' },
    });
  });

  test('may be repeated: the first reason stays', async () => {
    const { id } = await startedRun();
    await cancel(id, { reason: 'first' });
    const again = await cancel(id, { reason: 'second' });
    expect(again.status).toBe(200);
    expect(await invocation(again)).toMatchObject({ status: 'cancelled', error: { message: 'first' } });
  });

  test('by many at once ends the run once', async () => {
    const { id, rest } = await startedRun();
    const answers = await Promise.all(Array.from({ length: 10 }, () => cancel(id)));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    const ends = (await rest()).filter(({ type }) => type.startsWith('run.cancel'));
    expect(ends.map(({ type }) => type)).toEqual(['run.cancel_requested', 'run.cancelled']);
  });

  test('answers whoever waits for the run', async () => {
    const id = randomUUID();
    const waiting = post(invocations, BOARD_REVIEW, { 'x-agent-invocation-id': id });
    // Following begins as soon as there is something to follow.
    for (;;) {
      const response = await fetch(`${invocations}/${id}`, { headers: STREAM });
      if (response.ok) {
        for await (const event of eventsOf(response)) if (event.type === 'turn.delta') break;
        break;
      }
    }
    await cancel(id, { reason: 'enough' });
    const response = await waiting;
    expect(response.status).toBe(409);
    expect(await invocation(response)).toMatchObject({
      status: 'cancelled',
      error: { code: 'cancelled', message: 'enough' },
    });
  });

  test('with a body that makes no sense is refused and cancels nothing', async () => {
    const { id } = await startedRun();
    expect((await cancel(id, { why: 'x' })).status).toBe(400);
    expect((await invocation(fetch(`${invocations}/${id}`))).status).toBe('running');
    await cancel(id);
  });

  test('of nothing is not found', async () => {
    const response = await cancel(randomUUID());
    expect(response.status).toBe(404);
  });
});

describe('a time limit', () => {
  const limited = { ...BOARD_REVIEW, config: { timeout_seconds: 0.2 } };

  test('ends the run, and whoever waits is told', async () => {
    const response = await post(invocations, limited);
    expect(response.status).toBe(504);
    expect(await invocation(response)).toMatchObject({
      status: 'timed_out',
      result: null,
      error: { code: 'timed_out' },
    });
  });

  test('is the last event of the stream', async () => {
    const events = await allEvents(post(invocations, limited, STREAM));
    expect(events.at(-1)).toMatchObject({ type: 'run.timed_out', error: { code: 'timed_out' } });
  });

  test('leaves nothing to cancel', async () => {
    const { invocation_id: id } = await invocation(post(invocations, limited));
    const response = await cancel(id);
    expect(response.status).toBe(409);
    expect(errorSchema.parse(await response.json()).error).toMatchObject({
      code: 'conflict',
      message: `invocation "${id}" cannot be cancelled: it is timed_out already`,
    });
  });
});
