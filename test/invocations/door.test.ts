import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { errorSchema, eventSchema } from '../../src/invocations/event-schema.ts';
import { invocationSchema } from '../../src/invocations/view.ts';
import { startTestContainer, type TestContainer } from '../support/container.ts';
import { allEvents, BOARD_REVIEW, eventsOf, invocation, post, type SeenEvent } from '../support/invocations.ts';

const STREAM = { accept: 'text/event-stream' };
let container: TestContainer;
let invocations: string;

beforeAll(async () => {
  container = await startTestContainer();
  invocations = `${container.url}/invocations`;
});
afterAll(() => container[Symbol.asyncDispose]());

async function finished(id: string, headers: Record<string, string> = {}) {
  const events = await allEvents(fetch(`${invocations}/${id}`, { headers: { ...STREAM, ...headers } }));
  return { events, view: await invocation(fetch(`${invocations}/${id}`, { headers })) };
}

function expectWhole(events: readonly SeenEvent[]): void {
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
  for (const event of events) expect(eventSchema.parse(event)).toEqual(event);
}

describe('a board review', () => {
  test('is answered when it is over, with both ids', async () => {
    const response = await post(`${invocations}?agent_session_id=s-1`, BOARD_REVIEW, {
      'x-agent-invocation-id': 'wait-1',
    });
    expect(response.status).toBe(200);
    expect(response.headers.get('x-agent-invocation-id')).toBe('wait-1');
    expect(response.headers.get('x-agent-session-id')).toBe('s-1');
    const view = invocationSchema.parse(await response.json());
    expect(view).toMatchObject({
      invocation_id: 'wait-1',
      session_id: 's-1',
      status: 'completed',
      error: null,
      simulated: true,
      result: { workflow: 'collaborative', agent_ids: ['ceo', 'cfo', 'cmo'], simulated: true, progress: 1 },
      links: { self: '/invocations/wait-1' },
    });
    expect(view.result?.['summary']).toMatch(/\S/);
  });

  test('goes on in the background and is read later', async () => {
    const response = await post(invocations, { ...BOARD_REVIEW, background: true });
    expect(response.status).toBe(202);
    const accepted = invocationSchema.parse(await response.json());
    expect(response.headers.get('location')).toBe(accepted.links.self);
    expect(accepted).toMatchObject({ result: null, error: null, links: { cancel: `${accepted.links.self}/cancel` } });
    const { view } = await finished(accepted.invocation_id);
    expect(view).toMatchObject({ status: 'completed', result: { workflow: 'collaborative' } });
  });

  test('streams its numbered events to the end', async () => {
    const response = await post(invocations, BOARD_REVIEW, STREAM);
    expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
    const id = response.headers.get('x-agent-invocation-id') ?? '';
    const events = await allEvents(response);
    expectWhole(events);
    expect(events[0]).toMatchObject({
      type: 'run.queued',
      invocation_id: id,
      simulated: true,
      agent_ids: ['ceo', 'cfo', 'cmo'],
    });
    expect(events[1]).toMatchObject({ type: 'run.started', plan: { planned_turns: 7 } });
    expect(events.filter(({ type }) => type === 'turn.completed')).toHaveLength(7);
    const { view } = await finished(id);
    expect(events.at(-1)).toMatchObject({ type: 'run.completed', seq: view.last_event, result: view.result });
  });

  test('in a line hands each agent the work of those before', async () => {
    const events = await allEvents(post(invocations, { ...BOARD_REVIEW, workflow: 'sequential' }, STREAM));
    expectWhole(events);
    const turns = events.filter(({ type }) => type === 'turn.started').map(({ turn, peers }) => [turn, peers]);
    expect(turns).toEqual([
      ['step-1/ceo', undefined],
      ['step-2/cfo', ['ceo']],
      ['step-3/cmo', ['ceo', 'cfo']],
    ]);
  });

  test('is not ended by a client that leaves', async () => {
    const leaving = new AbortController();
    const response = await fetch(invocations, {
      method: 'POST',
      body: JSON.stringify(BOARD_REVIEW),
      headers: { ...STREAM, 'x-agent-invocation-id': 'left-1' },
      signal: leaving.signal,
    });
    for await (const event of eventsOf(response)) {
      expect(event.seq).toBe(1);
      break;
    }
    leaving.abort();
    const { events, view } = await finished('left-1');
    expectWhole(events);
    expect(view.status).toBe('completed');
  });
});

describe('replay', () => {
  let all: SeenEvent[];
  const id = 'replayed-1';
  const replay = (query: string, headers: Record<string, string> = {}) =>
    fetch(`${invocations}/${id}${query}`, { headers: { ...STREAM, ...headers } });

  beforeAll(async () => {
    all = await allEvents(post(invocations, BOARD_REVIEW, { ...STREAM, 'x-agent-invocation-id': id }));
  });

  test('says again what was said', async () => {
    expect(await allEvents(replay(''))).toEqual(all);
  });

  test.each<[string, Record<string, string>]>([
    ['?after=4', {}],
    ['', { 'last-event-id': '4' }],
    ['', { 'x-client-last-event-id': '4' }],
    ['?after=4', { 'last-event-id': '2' }],
  ])('goes on after the event that %s %j names', async (query, headers) => {
    expect(await allEvents(replay(query, headers))).toEqual(all.slice(4));
  });

  test('repeating the request replays it too', async () => {
    const again = post(invocations, BOARD_REVIEW, { ...STREAM, 'x-agent-invocation-id': id, 'last-event-id': '7' });
    expect(await allEvents(again)).toEqual(all.slice(7));
  });

  test('a number that was meant for a run that never was starts at the beginning', async () => {
    const events = await allEvents(post(invocations, { message: 'Hello' }, { ...STREAM, 'last-event-id': '900' }));
    expectWhole(events);
  });

  test('after the last event is an answer that stops a browser', async () => {
    const response = await replay(`?after=${all.length}`);
    expect(response.status).toBe(204);
  });

  test.each(['?after=100000', '?after=-1', '?after=x'])('%s is refused', async (query) => {
    const response = await replay(query);
    expect(response.status).toBe(400);
    expect(errorSchema.parse(await response.json()).error.code).toBe('invalid_request');
  });

  test('many followers at once all see everything', async () => {
    const running = 'followed-1';
    await post(invocations, { ...BOARD_REVIEW, background: true }, { 'x-agent-invocation-id': running });
    const seen = await Promise.all(
      Array.from({ length: 20 }, () => allEvents(fetch(`${invocations}/${running}`, { headers: STREAM }))),
    );
    const [first = []] = seen;
    expectWhole(first);
    expect(first.at(-1)?.type).toBe('run.completed');
    for (const events of seen) expect(events).toEqual(first);
  });
});

describe('one id, one run', () => {
  test('the same request joins, however it is answered and whatever the order of its members', async () => {
    const headers = { 'x-agent-invocation-id': 'same-1' };
    const { agent_ids, workflow, task } = BOARD_REVIEW;
    const answers = await Promise.all([
      invocation(post(invocations, { agent_ids, workflow, task }, headers)),
      invocation(post(invocations, { task, workflow, agent_ids }, headers)),
      invocation(post(invocations, { task, agent_ids, background: true }, headers)),
    ]);
    const { events, view } = await finished('same-1');
    expectWhole(events);
    expect(answers.map(({ invocation_id }) => invocation_id)).toEqual(['same-1', 'same-1', 'same-1']);
    expect(answers.slice(0, 2)).toEqual([view, view]);
  });

  test('another request under the same id is a conflict', async () => {
    const headers = { 'x-agent-invocation-id': 'other-1' };
    await post(invocations, { message: 'Hello' }, headers);
    const response = await post(invocations, { message: 'Good bye' }, headers);
    expect(response.status).toBe(409);
    expect(errorSchema.parse(await response.json()).error).toMatchObject({ code: 'conflict' });
  });
});

describe("another user's run", () => {
  const ann = { 'x-agent-user-id': 'ann' };
  const bob = { 'x-agent-user-id': 'bob' };

  test.each([bob, {}])('is not found by %j, like one that never was', async (stranger) => {
    const id = randomUUID();
    await post(invocations, { message: 'Hello' }, { ...ann, 'x-agent-invocation-id': id });
    const answers = [
      await fetch(`${invocations}/${id}`, { headers: stranger }),
      await fetch(`${invocations}/${id}`, { headers: { ...stranger, ...STREAM } }),
      await post(`${invocations}/${id}/cancel`, '', stranger),
    ];
    for (const answer of answers) {
      expect(answer.status).toBe(404);
      expect(errorSchema.parse(await answer.json()).error).toEqual({
        code: 'not_found',
        message: `there is no invocation "${id}": use the invocation_id that POST /invocations answered`,
      });
    }
    expect((await fetch(`${invocations}/${id}`, { headers: ann })).status).toBe(200);
  });

  test('cannot be joined', async () => {
    const id = randomUUID();
    await post(invocations, { message: 'Hello' }, { ...ann, 'x-agent-invocation-id': id });
    const response = await post(invocations, { message: 'Hello' }, { ...bob, 'x-agent-invocation-id': id });
    expect(response.status).toBe(409);
  });
});

describe('what cannot be used is refused in words', () => {
  test.each<[string, unknown, number, string]>([
    ['broken JSON', '{"message": }', 400, 'expected a value at line 1, column 13, got "}"'],
    ['nothing', '', 400, 'it is empty'],
    [
      'an unknown agent',
      { ...BOARD_REVIEW, agent_ids: ['ceo', 'cof'] },
      400,
      'there is no agent "cof", did you mean "cfo"?',
    ],
    ['an unknown workflow', { ...BOARD_REVIEW, workflow: 'collaborativ' }, 400, 'did you mean "collaborative"?'],
    ['an unknown field', { ...BOARD_REVIEW, agents: [] }, 400, 'unknown field "agents"'],
    ['too much', `"${'x'.repeat(16 * 1024 * 1024)}"`, 413, 'larger than 16 MiB'],
  ])('%s', async (_title, body, status, message) => {
    const response = await post(invocations, body);
    expect(response.status).toBe(status);
    expect(response.headers.get('x-agent-invocation-id')).toMatch(/\S/);
    expect(errorSchema.parse(await response.json()).error.message).toContain(message);
  });

  test('an invocation that never was', async () => {
    const response = await fetch(`${invocations}/no%20such%20id`);
    expect(response.status).toBe(404);
    expect(errorSchema.parse(await response.json()).error.message).toContain('there is no invocation "no such id"');
  });
});

describe('the front', () => {
  test.each([
    ['text/html,application/xhtml+xml;q=0.9,*/*;q=0.8', 'text/html', '<h1>aos-agent-server'],
    ['application/json', 'application/json', '"name":"aos-agent-server"'],
    ['*/*', 'text/plain', 'curl -N'],
  ])('for Accept: %s is %s', async (accept, type, content) => {
    const response = await fetch(container.url, { headers: { accept } });
    expect(response.headers.get('content-type')).toContain(type);
    expect(await response.text()).toContain(content);
  });

  test('says that the model is simulated, and its example works', async () => {
    const page = (await (await fetch(container.url, { headers: { accept: 'application/json' } })).json()) as {
      simulated: boolean;
      example: { url: string; body: unknown };
    };
    expect(page.simulated).toBe(true);
    expect((await invocation(post(page.example.url, page.example.body))).status).toBe('completed');
  });

  test('elsewhere is what the protocol says of unknown paths', async () => {
    const response = await fetch(`${container.url}/nothing`);
    expect(response.status).toBe(404);
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(await response.text()).toBe('Not Found');
  });

  test('the same OpenAPI document at both its addresses', async () => {
    const [one, other] = await Promise.all(
      ['/openapi.json', '/invocations/docs/openapi.json'].map(async (path) =>
        (await fetch(container.url + path)).json(),
      ),
    );
    expect(one).toMatchObject({ openapi: '3.1.0' });
    expect(other).toEqual(one);
  });
});
