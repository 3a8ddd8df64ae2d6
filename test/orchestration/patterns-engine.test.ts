/** Patterns through the gate, on the real engine and database: waits, signals and what runs are pinned to. */

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { AgentStock } from '../../src/agents/catalogue.ts';
import type { Model } from '../../src/agents/model.ts';
import { createSessionMemory } from '../../src/agents/session.ts';
import { createToolSet, type Tool, type ToolSet } from '../../src/agents/tool.ts';
import { systemClock } from '../../src/core/clock.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { createGate, type Gate, type WorkRequest } from '../../src/dispatch.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { createEngine } from '../../src/engine/run-engine.ts';
import { createDefinitionStore, type DefinitionStore } from '../../src/orchestration/definition-store.ts';
import { wakeRunsOfKnownDefinitions } from '../../src/orchestration/definition-wake.ts';
import { createRunProgram } from '../../src/orchestration/program.ts';
import type { RunEvent } from '../../src/runs/event.ts';
import { keyOfRun, type Run } from '../../src/runs/run.ts';
import type { Database } from '../../src/store/database.ts';
import { testAgent } from '../support/agents.ts';
import { openTestDatabase } from '../support/database.ts';
import { unenforcedGovernor } from '../support/governance.ts';
import { recordingLog } from '../support/log.ts';
import { chorus } from '../support/orchestration.ts';
import { expectSoundLog } from '../support/run-log.ts';
import { createTestRuns, type TestRuns } from '../support/runs.ts';

const agents = [testAgent('ceo', { config: { tools: ['look'] } }), testAgent('cfo'), testAgent('cmo')];
const catalogue: AgentStock = {
  of: () => ({ all: agents, enabled: agents, find: (id) => agents.find(({ agent_id }) => agent_id === id) }),
};
const caller = { tenantId: 'default', userId: 'ada' };

let database: Database;
let stores: TestRuns;
let definitions: DefinitionStore;
let engine: Engine;
let gate: Gate;
/** What the agents say; by default who they are and in which phase. */
let says: Parameters<typeof chorus>[0];
/** No agent says anything before it. */
let held: Promise<void> = Promise.resolve();

function toolSet(version: string): ToolSet {
  const look: Tool = {
    name: 'look',
    version,
    description: 'looks',
    input: z.object({}),
    effect: 'read',
    timeoutMs: 1000,
    run: async () => 'seen',
  };
  return createToolSet([look]);
}

/** A process with a build: the tool `look` in a version. */
async function start(version = '1'): Promise<void> {
  const clock = systemClock;
  const speaking = chorus((brief, nth) => says?.(brief, nth));
  const model: Model = {
    ...speaking,
    async *stream(request, signal) {
      await held;
      yield* speaking.stream(request, signal);
    },
  };
  const memory = createSessionMemory({ tenant: database.tenant, clock });
  const tools = toolSet(version);
  const { events } = stores;
  const governor = unenforcedGovernor();
  const program = createRunProgram({ catalogue, model, memory, definitions, events, tools, clock, governor });
  engine = createEngine({ database, ...stores, program, clock, log: recordingLog() });
  await engine.start();
  await wakeRunsOfKnownDefinitions({ database, definitions, engine, toolVersions: tools.versions });
  gate = createGate({
    ...{ catalogue, engine, events, definitions, clock, governor },
    runs: stores.runs,
    simulated: false,
    toolVersions: tools.versions,
  });
}

beforeAll(async () => {
  database = await openTestDatabase();
  stores = createTestRuns(database);
  definitions = createDefinitionStore({ database, clock: systemClock });
  await start();
});
afterAll(async () => {
  await engine.stop();
  await database.close();
});

async function submit(body: JsonObject, change: Partial<WorkRequest> = {}): Promise<Run> {
  const { run } = await gate.submit({
    id: randomUUID(),
    kind: 'message' in body ? 'chat' : 'orchestration',
    sessionId: randomUUID(),
    caller,
    body,
    callId: '',
    ...change,
  });
  return run;
}

/** The log up to the first event of a type. */
async function upTo(run: Run, type: RunEvent['type'], nth = 1): Promise<RunEvent[]> {
  const events: RunEvent[] = [];
  let seen = 0;
  for await (const event of stores.events.follow(keyOfRun(run), 0)) {
    events.push(event);
    if (event.type === type) seen += 1;
    if (seen === nth) break;
  }
  return events;
}

async function resultOf(run: Run): Promise<JsonObject> {
  const events = await Array.fromAsync(stores.events.follow(keyOfRun(run), 0));
  expectSoundLog(events);
  const last = events.at(-1);
  if (last?.type !== 'run.completed') throw new Error(`the run ended with ${JSON.stringify(last?.data)}`);
  return last.data.result;
}

const work = (workflow: string, config: JsonObject = {}) => ({
  agent_ids: ['ceo', 'cfo', 'cmo'],
  workflow,
  task: { type: 'review' },
  config,
});

describe('on the real engine', () => {
  it.each([
    ['sequential', 3],
    ['concurrent', 3],
    ['collaborative', 7],
    ['hierarchical', 4],
    ['group-chat', 9],
    ['handoff', 1],
  ])('%s runs to its end in %s turns', async (workflow, turns) => {
    says = undefined;
    const run = await submit(work(workflow));
    const result = await resultOf(run);
    expect(result).toMatchObject({ workflow, turns, progress: 1 });
    expect(result['summary']).not.toBe('');
    expect((await stores.runs.find(run.id, caller))?.definition).toMatch(/^[0-9a-f]{64}$/);
  });

  it('work without an end goes round until it is stopped, and holds nothing meanwhile', async () => {
    says = undefined;
    const config = { cycle_interval_seconds: 3600 };
    const run = await submit({ agent_ids: ['ceo', 'cfo'], workflow: 'collaborative', purpose: 'keep watch', config });
    const waiting = await upTo(run, 'run.waiting');
    expect(waiting.at(-1)?.data).toMatchObject({ reason: 'timer', waits: [{ name: 'cycle-2/pause' }] });
    await engine.stop();
    await start();
    expect((await stores.runs.find(run.id, caller))?.status).toBe('waiting');
    expect(await engine.signal(keyOfRun(run), { name: 'stop', payload: { reason: 'enough' }, actor: 'user:ada' })).toBe(
      true,
    );
    expect(await resultOf(run)).toMatchObject({ status: 'stopped', cycles: 1, stop_reason: 'enough', turns: 2 });
    // What came before the checkpoint is forgotten.
    expect((await stores.runs.steps(run)).map(({ name }) => name)).not.toContain('cycle-1/ceo');
  });

  it('a run at its limit waits over a restart, and goes on when it is let', async () => {
    says = undefined;
    const run = await submit(work('concurrent', { max_tokens: 20, synthesis: true }));
    const waiting = await upTo(run, 'run.waiting');
    expect(waiting.at(-2)?.data).toMatchObject({ wait: 'limit/1', limit: 'tokens', max: 20 });
    await engine.stop();
    await start();
    await engine.signal(keyOfRun(run), {
      name: 'limit/1',
      payload: { decision: 'continue', raise: { max_tokens: 1000 } },
      actor: 'user:ada',
    });
    expect(await resultOf(run)).toMatchObject({ turns: 4, summary: 'ceo synthesis 0' });
  });

  it('a run whose tool is gone waits, and goes on in a build that has it again', async () => {
    says = undefined;
    const run = await submit({ ...work('group-chat', { max_turns: 4, max_tokens: 15 }), agent_ids: ['ceo', 'cfo'] });
    await upTo(run, 'run.waiting');
    await engine.stop();
    await start('2');
    await engine.signal(keyOfRun(run), {
      name: 'limit/1',
      payload: { decision: 'continue', raise: { max_tokens: 500 } },
      actor: '',
    });
    const again = await upTo(run, 'run.waiting', 2);
    expect(again.find(({ type }) => type === 'run.definition_missing')?.data).toMatchObject({
      missing: ['the tool look in version 1'],
    });
    expect((await stores.runs.find(run.id, caller))?.waitingFor).toBe('definition');
    await engine.stop();
    await start('1');
    expect(await resultOf(run)).toMatchObject({ turns: 4 });
  });
});

describe('a second message in a session', () => {
  it('that steers is answered by the run that is answering, and says so', async () => {
    const sessionId = randomUUID();
    says = ({ kind }, nth) => `${kind} ${nth}`;
    const holding = Promise.withResolvers<void>();
    held = holding.promise;
    const first = await submit({ message: 'one' }, { sessionId });
    await upTo(first, 'turn.started');
    const second = await submit({ message: 'two', second_message: 'steer' }, { sessionId });
    holding.resolve();
    const answer = await resultOf(first);
    expect(answer).toMatchObject({ steered_by: [second.id], usage: { tokens_input: 20 } });
    expect(await resultOf(second)).toEqual({ steered: first.id, message: answer['message'], agent_id: 'ceo' });
    expect(await said(sessionId)).toEqual(['one', expect.any(String), 'two', answer['message']]);
  });

  it('interrupts the one before it when it may', async () => {
    const sessionId = randomUUID();
    says = undefined;
    const holding = Promise.withResolvers<void>();
    held = holding.promise;
    const first = await submit({ message: 'one' }, { sessionId });
    await upTo(first, 'turn.started');
    const second = await submit({ message: 'two', second_message: 'interrupt' }, { sessionId });
    await upTo(first, 'run.cancelled');
    holding.resolve();
    expect(await resultOf(second)).toHaveProperty('message');
  });

  it('is refused while the session is busy where that is the policy, and may come afterwards', async () => {
    const sessionId = randomUUID();
    const holding = Promise.withResolvers<void>();
    held = holding.promise;
    const first = await submit({ message: 'one' }, { sessionId });
    await expect(submit({ message: 'two', second_message: 'reject' }, { sessionId })).rejects.toMatchObject({
      reason: 'SESSION_BUSY',
      facts: { run_id: first.id },
    });
    holding.resolve();
    await resultOf(first);
    await resultOf(await submit({ message: 'two', second_message: 'reject' }, { sessionId }));
  });

  it('is answered after the one before by default, knowing what was said', async () => {
    const sessionId = randomUUID();
    held = Promise.resolve();
    const runs = [await submit({ message: 'one' }, { sessionId }), await submit({ message: 'two' }, { sessionId })];
    await Promise.all(runs.map(resultOf));
    expect((await said(sessionId)).filter((text) => /one|two/.test(text))).toEqual(['one', 'two']);
  });
});

/** The conversation of a session. */
async function said(sessionId: string): Promise<string[]> {
  const rows = await database.db
    .selectFrom('session_messages')
    .select('content')
    .where('session_id', '=', sessionId)
    .orderBy('seq')
    .execute();
  return rows.map(({ content }) => String(content));
}
