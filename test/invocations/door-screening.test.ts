/**
 * What leaves by the doors of a whole container whose tenant wants personal data redacted or blocked: a scripted model on
 * a real socket says values in every cut, and no door shows a character of them.
 */
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { JsonObject } from '../../src/core/json.ts';
import { defaultPolicy, type ScreeningAction, type TenantScreening } from '../../src/governance/screening/policy.ts';
import { startTestContainer, type TestContainer } from '../support/container.ts';
import { allEvents, invocation, post, type SeenEvent } from '../support/invocations.ts';
import { calling, type ModelServer, saying, startModelServer } from '../support/model-server.ts';

const TEXT =
  'Card 4111 1111 1111 1111, mail jo@example.com, call +1 415-555-2671, key ghp_16C7e42F292c6912E7710c838347Ae178B4a. Done.';
const REDACTED = 'Card [CARD], mail [EMAIL], call [PHONE], key [API_KEY]. Done.';
/** Pieces of each value, as short as they say nothing by themselves. */
const RAW = /4111|1111|jo@|example\.com|415-|555-|2671|ghp_|16C7/;

function wanting(action: ScreeningAction): TenantScreening {
  return { policy: { ...defaultPolicy, action }, floor: action };
}

async function startGuarded(action: ScreeningAction, model: ModelServer): Promise<TestContainer> {
  return startTestContainer({
    runtime: { screening: wanting(action) },
    model: { provider: 'openai-compatible', baseUrl: `${model.url}/v1`, model: 'local' },
  });
}

/** The last words the model was given. */
function askedOf(body: JsonObject): string {
  return JSON.stringify((body['messages'] as JsonObject[]).at(-1)?.['content']);
}

/** Says the text cut where the question says, with a pause that is longer than a batch of deltas. */
function sayingCut(model: ModelServer): void {
  model.answer = async (response, call) => {
    const cut = Number(/cut at (\d+)/.exec(askedOf(call.body))?.[1] ?? 0);
    const pieces = cut === 0 ? TEXT.split('') : [TEXT.slice(0, cut), TEXT.slice(cut)];
    if (cut % 4 === 1) {
      const whole = saying(...pieces);
      return whole(response, call);
    }
    const [first = '', ...rest] = pieces;
    const { beginStream, writeChunk } = await import('../support/model-server.ts');
    beginStream(response);
    writeChunk(response, { delta: { content: first } });
    await pause(100);
    for (const piece of rest) writeChunk(response, { delta: { content: piece } });
    writeChunk(response, { delta: {}, finish_reason: 'stop' });
    response.end('data: [DONE]\n\n');
  };
}

function textOf(events: readonly JsonObject[]): string {
  let text = '';
  for (const event of events) {
    if (event['type'] === 'turn.restarted') text = '';
    if (event['type'] === 'turn.delta') {
      expect(event['offset']).toBe(text.length);
      text += String(event['text']);
    }
  }
  return text;
}

/** What events say, without ids and times, which may hold any digits. */
function wordsOf(events: readonly JsonObject[]): string {
  return JSON.stringify(events.map(({ invocation_id: _id, at: _at, ...said }) => said));
}

/** Everything the database holds, as text. */
async function dump(container: TestContainer): Promise<string> {
  const client = new pg.Client({ connectionString: container.databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query<{ name: string }>(
      "select tablename as name from pg_tables where schemaname = 'aos'",
    );
    const tables: string[] = [];
    for (const { name } of rows) {
      const { rows: content } = await client.query(`select row_to_json(t)::text as row from aos.${name} t`);
      tables.push(...content.map(({ row }) => `${name} ${String(row)}`));
    }
    return tables.join('\n');
  } finally {
    await client.end();
  }
}

describe('a model that says values, where they are redacted', () => {
  let model: ModelServer;
  let container: TestContainer;

  beforeAll(async () => {
    model = await startModelServer();
    sayingCut(model);
    container = await startGuarded('REDACT', model);
  });
  afterAll(async () => {
    await container?.[Symbol.asyncDispose]();
    await model?.[Symbol.asyncDispose]();
  });

  test('shows no character of them, wherever its text is cut, and the same text always', async () => {
    const stream = (cut: number) =>
      allEvents(post(`${container.url}/invocations`, { message: `cut at ${cut}` }, { accept: 'text/event-stream' }));
    const all: SeenEvent[][] = [];
    // A few at a time: more would be told to come back later.
    while (all.length < TEXT.length) {
      const from = all.length;
      const some = Array.from({ length: Math.min(12, TEXT.length - from) }, (_none, index) => stream(from + index));
      all.push(...(await Promise.all(some)));
    }
    for (const [cut, events] of all.entries()) {
      expect(wordsOf(events), `cut at ${cut}`).not.toMatch(RAW);
      expect(textOf(events), `cut at ${cut}`).toBe(REDACTED);
      expect(events.find(({ type }) => type === 'turn.completed')).toMatchObject({ output: REDACTED });
      expect(events.find(({ type }) => type === 'screening.found')).toMatchObject({
        direction: 'out',
        taken: 'redacted',
        count: 4,
        types: ['credit_card', 'email', 'phone', 'api_key'],
      });
    }
  }, 60_000);

  test('shows the same over WebSocket', async () => {
    const socket = new WebSocket(container.url.replace('http', 'ws').concat('/invocations_ws'));
    const received: JsonObject[] = [];
    const cuts = [0, 7, 22, 33, 40, 55, 66, 80, 100];
    const ended = Promise.withResolvers<void>();
    let open = cuts.length;
    socket.on('message', (data) => {
      const message = JSON.parse(String(data)) as JsonObject;
      received.push(message);
      if (/^run\.(completed|failed)$/.test(String(message['type'])) && --open === 0) ended.resolve();
    });
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    for (const cut of cuts) {
      socket.send(JSON.stringify({ message: `cut at ${cut}`, invocation_id: `ws-${cut}` }));
    }
    await ended.promise;
    socket.close();
    expect(wordsOf(received)).not.toMatch(RAW);
    for (const cut of cuts) {
      expect(textOf(received.filter(({ invocation_id: id }) => id === `ws-${cut}`))).toBe(REDACTED);
    }
  });

  test('keeps nothing of them: in no table, no replay, no log line', async () => {
    const id = 'replayed';
    const done = await invocation(
      post(`${container.url}/invocations`, { message: 'cut at 30' }, { 'x-agent-invocation-id': id }),
    );
    expect(JSON.stringify(done)).toContain('[CARD]');
    const replay = await fetch(`${container.url}/invocations/${id}`, { headers: { accept: 'text/event-stream' } });
    expect(wordsOf(await allEvents(replay))).not.toMatch(RAW);
    expect(await dump(container)).not.toMatch(/4111 ?1111|jo@example|415-555|ghp_16C7/);
    expect(JSON.stringify(container.records())).not.toMatch(/4111 ?1111|jo@example|415-555|ghp_16C7/);
  });

  test('is told in the audit log by kinds and places', async () => {
    const read = async () => {
      const response = await fetch(`${container.url}/api/v1/aoa/audit?action=PII_REDACT&limit=1`);
      return ((await response.json()) as { items?: JsonObject[] }).items ?? [];
    };
    await expect.poll(async () => (await read()).length, { timeout: 10_000 }).toBe(1);
    const [entry] = await read();
    expect(entry).toMatchObject({
      action: 'PII_REDACT',
      details: { direction: 'out', types: ['credit_card', 'email', 'phone', 'api_key'] },
    });
    expect(JSON.stringify(entry?.['details'])).not.toMatch(/4111|jo@|415-|ghp_/);
  });
});

describe('where they are blocked', () => {
  let model: ModelServer;
  let container: TestContainer;

  beforeAll(async () => {
    model = await startModelServer(saying(...TEXT.split(' ').map((word) => `${word} `)));
    container = await startGuarded('BLOCK', model);
  });
  afterAll(async () => {
    await container?.[Symbol.asyncDispose]();
    await model?.[Symbol.asyncDispose]();
  });

  test('an answer is withheld with a clear error, and what has been streamed has tokens', async () => {
    const response = await post(`${container.url}/invocations`, { message: 'Hello' }, { accept: 'text/event-stream' });
    const events: SeenEvent[] = await allEvents(response);
    expect(wordsOf(events)).not.toMatch(RAW);
    expect(events.at(-1)).toMatchObject({
      type: 'run.failed',
      error: {
        code: 'unprocessable',
        message: expect.stringMatching(/withheld: it holds personal data \(credit_card/),
      },
    });
    expect(await dump(container)).not.toMatch(/4111 ?1111|jo@example|415-555|ghp_16C7/);
  });

  test('what tools are to be used with is refused, and the model is told so', async () => {
    const asked = { id: 'call-1', name: 'calculator', arguments: '{"expression":"4111111111111111"}' };
    let turn = 0;
    model.answer = (response, call) =>
      (turn++ === 0 ? calling(asked) : saying('I was not allowed to.'))(response, call);
    const events = await allEvents(
      post(`${container.url}/invocations`, { message: 'Calculate' }, { accept: 'text/event-stream' }),
    );
    expect(events.at(-1)).toMatchObject({ type: 'run.completed' });
    expect(events.find(({ type }) => type === 'tool.failed')).toMatchObject({
      error: { code: 'unprocessable', message: expect.stringMatching(/withheld/) },
    });
    expect(JSON.stringify(events)).not.toMatch(/41111111/);
    expect(JSON.stringify(model.calls.at(-1)?.body)).not.toMatch(/41111111/);
    expect(await dump(container)).not.toMatch(/41111111/);
  });
});
