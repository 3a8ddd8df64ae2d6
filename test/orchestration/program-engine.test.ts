/** The program on the real engine and database, with a provider on a real socket. */

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createModel } from '../../src/agents/model-choice.ts';
import { loadPrices } from '../../src/agents/price-file.ts';
import { createSessionMemory } from '../../src/agents/session.ts';
import { systemClock } from '../../src/core/clock.ts';
import type { JsonObject } from '../../src/core/json.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { createEngine } from '../../src/engine/run-engine.ts';
import { createRunProgram } from '../../src/orchestration/program.ts';
import type { RunEvent } from '../../src/runs/event.ts';
import { keyOfRun, type Run } from '../../src/runs/run.ts';
import type { RunAdmission } from '../../src/runs/run-store.ts';
import type { Database } from '../../src/store/database.ts';
import { testCatalogue } from '../support/agents.ts';
import { openTestDatabase } from '../support/database.ts';
import { unenforcedGovernor } from '../support/governance.ts';
import { recordingLog } from '../support/log.ts';
import {
  beginStream,
  type ModelServer,
  refusing,
  saying,
  startModelServer,
  writeChunk,
} from '../support/model-server.ts';
import { expectSoundLog } from '../support/run-log.ts';
import { createTestRuns, type TestRuns, testAdmission } from '../support/runs.ts';

let database: Database;
let stores: TestRuns;
let engine: Engine;
let server: ModelServer;

beforeAll(async () => {
  const clock = systemClock;
  server = await startModelServer();
  database = await openTestDatabase();
  stores = createTestRuns(database);
  const program = createRunProgram({
    catalogue: testCatalogue('ceo', 'cfo', 'cmo'),
    model: createModel(
      { provider: 'openai', apiKey: 'k', model: 'gpt-4o', baseUrl: `${server.url}/v1` },
      { clock, prices: (await loadPrices(undefined)).models },
    ),
    memory: createSessionMemory({ tenant: database.tenant, clock }),
    clock,
    governor: unenforcedGovernor(),
  });
  engine = createEngine({ database, ...stores, program, clock, log: recordingLog() });
  await engine.start();
});
afterAll(async () => {
  await engine.stop();
  await database.close();
  await server[Symbol.asyncDispose]();
});
beforeEach(() => {
  server.calls.length = 0;
  server.answer = saying('I think', ' we should', ' wait.');
});

const review = { agent_ids: ['ceo', 'cfo', 'cmo'], workflow: 'collaborative', task: { type: 'review' } };

async function begin(change: Partial<RunAdmission> = {}): Promise<Run> {
  const { run } = await stores.runs.admit(testAdmission({ request: review, simulated: false, ...change }));
  await engine.begin(keyOfRun(run));
  return run;
}

async function watch(run: Run): Promise<RunEvent[]> {
  return Array.fromAsync(stores.events.follow(keyOfRun(run), 0));
}

function resultOf(events: readonly RunEvent[]): JsonObject {
  const last = events.at(-1);
  if (last?.type !== 'run.completed') throw new Error(`the run ended with ${JSON.stringify(last)}`);
  return last.data.result;
}

describe('on the real engine', () => {
  it('a board review by a provider runs through, with one call a turn', async () => {
    const events = await watch(await begin());
    expectSoundLog(events);
    expect(server.calls).toHaveLength(7);
    expect(resultOf(events)).toMatchObject({
      summary: 'I think we should wait.',
      simulated: false,
      model: 'gpt-4o',
      turns: 7,
      usage: { tokens_input: 7000, tokens_output: 700, cost_usd: 0.0245 },
    });
  });

  it('a call that may succeed later is made again by the step, and by nobody else', async () => {
    let refusals = 0;
    server.answer = (response, call) => (refusals++ === 0 ? refusing(429) : saying('fine'))(response, call);
    const events = await watch(await begin({ request: { ...review, agent_ids: ['cfo'], workflow: 'sequential' } }));
    expectSoundLog(events);
    expect(server.calls).toHaveLength(2);
    expect(resultOf(events)).toMatchObject({ summary: 'fine' });
  });

  it('a call that is refused for good fails the run with the sentence for it, after one call', async () => {
    server.answer = refusing(401);
    const events = await watch(await begin({ request: { ...review, agent_ids: ['cfo'], workflow: 'sequential' } }));
    expectSoundLog(events);
    expect(server.calls).toHaveLength(1);
    expect(events.at(-1)).toMatchObject({
      type: 'run.failed',
      data: {
        error: {
          code: 'model_failed',
          message:
            'cfo failed in step-1/cfo: OpenAI model "gpt-4o" did not accept the credentials (HTTP 401): check OPENAI_API_KEY',
        },
      },
    });
  });

  it('a cancel reaches every running call and closes its connection', async () => {
    const under = Promise.withResolvers<void>();
    server.answer = (response) => {
      beginStream(response);
      writeChunk(response, { delta: { content: 'half a' } });
      if (server.calls.length === 3) under.resolve();
    };
    const run = await begin();
    await under.promise;
    await engine.cancel(run.id, 'changed my mind', run.caller);
    await Promise.all(server.calls.map((call) => call.hungUp));
    const events = await watch(run);
    expectSoundLog(events);
    expect(events.at(-1)).toMatchObject({ type: 'run.cancelled', data: { reason: 'changed my mind' } });
    expect(events.map((event) => event.type)).not.toContain('turn.failed');
  });

  it('a deadline does the same and ends as timed out', async () => {
    server.answer = (response) => beginStream(response);
    const run = await begin({ deadlineAt: new Date(Date.now() + 300).toISOString() });
    const events = await watch(run);
    expect(events.at(-1)?.type).toBe('run.timed_out');
    await Promise.all(server.calls.map((call) => call.hungUp));
  });

  it('a conversation is remembered over runs', async () => {
    await watch(await begin({ kind: 'chat', sessionId: 'talk', request: { message: 'I am Ada' } }));
    const events = await watch(await begin({ kind: 'chat', sessionId: 'talk', request: { message: 'Who am I?' } }));
    expect(server.calls[1]?.body['messages']).toMatchObject([
      { role: 'system' },
      { role: 'user', content: 'I am Ada' },
      { role: 'assistant', content: 'I think we should wait.' },
      { role: 'user', content: 'Who am I?' },
    ]);
    expect(resultOf(events)).toMatchObject({ message: 'I think we should wait.', agent_id: 'ceo' });
  });
});
