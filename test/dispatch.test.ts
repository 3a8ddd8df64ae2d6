import { describe, expect, test } from 'vitest';
import { parseCatalogue } from '../src/agents/catalogue.ts';
import { systemClock } from '../src/core/clock.ts';
import { AosError } from '../src/core/errors.ts';
import type { JsonObject } from '../src/core/json.ts';
import { createGate, type GateParts, type WorkRequest } from '../src/dispatch.ts';
import type { NewSignal } from '../src/engine/engine.ts';
import type { Definition } from '../src/orchestration/definition.ts';
import { workflows } from '../src/orchestration/patterns.ts';
import type { NewRunEvent } from '../src/runs/event.ts';
import { partsOfKey, type Run, type RunStatus } from '../src/runs/run.ts';
import type { RunAdmission } from '../src/runs/run-store.ts';
import { testGovernor, testPolicy, unenforcedGovernor } from './support/governance.ts';
import { testRun } from './support/run.ts';

const agent = (agent_id: string, enabled = true) => ({
  agent_id,
  agent_type: 'T',
  purpose: 'p',
  adapter_name: 'a',
  enabled,
});
const registry = JSON.stringify({ agents: [agent('ceo'), agent('cfo'), agent('retired', false)] });
const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);

interface Scene {
  /** Of the run that is admitted. */
  status?: RunStatus;
  /** The chat runs of the session that have not ended, oldest first. */
  active?: Partial<Run>[];
  oldestWaitMs?: number;
  parent?: Partial<Run>;
  /** What the engine says to a signal. */
  signalled?: boolean;
  change?: Partial<GateParts>;
}

function build({ status = 'queued', active = [], oldestWaitMs = 0, parent, signalled = true, change }: Scene = {}) {
  const admissions: RunAdmission[] = [];
  const begun: string[] = [];
  const cancelled: string[] = [];
  const definitions: Definition[] = [];
  const signals: { to: string; signal: NewSignal }[] = [];
  const told: { runId: string; event: NewRunEvent }[] = [];
  const gate = createGate({
    catalogue: parseCatalogue(registry, 'test.json'),
    governor: unenforcedGovernor(),
    runs: {
      async admit(admission) {
        if (admission.sessionPolicy === 'reject' && active.length > 0) {
          throw new AosError('conflict', 'busy', { reason: 'SESSION_BUSY' });
        }
        admissions.push(admission);
        return { run: testRun({ id: admission.id, request: admission.request, status }), outcome: 'created' };
      },
      activeInSession: async () => active.map((run) => testRun(run)),
      load: async () => (parent === undefined ? undefined : testRun(parent)),
    },
    engine: {
      async begin(run) {
        begun.push(partsOfKey(run).runId);
      },
      async signal(run, signal) {
        signals.push({ to: partsOfKey(run).runId, signal });
        return signalled;
      },
      backlog: () => ({ executing: 0, queued: 3, oldestWaitMs }),
      async cancel(id) {
        cancelled.push(id);
        return testRun({ id, status: 'cancelled' });
      },
    },
    events: {
      async append(run, key, event) {
        const { runId } = partsOfKey(run);
        const appended = !told.some((one) => one.runId === runId && key === one.event.type.replace('run.', ''));
        told.push({ runId, event });
        return { seq: 1, appended };
      },
    },
    definitions: {
      async store(definition) {
        definitions.push(definition);
        return `hash-of-${definition.workflow}`;
      },
    },
    clock: { ...systemClock, now: () => NOW },
    simulated: true,
    ...change,
  });
  return { gate, admissions, begun, cancelled, definitions, signals, told };
}

const work = (body: JsonObject, change: Partial<WorkRequest> = {}): WorkRequest => ({
  id: 'r1',
  kind: 'message' in body ? 'chat' : 'orchestration',
  sessionId: 's1',
  caller: { tenantId: 'default', userId: 'u1' },
  body,
  callId: 'c1',
  ...change,
});
const KNOWN = workflows.join(', ');
const review = { agent_ids: ['ceo', 'cfo'], workflow: 'collaborative', task: {} };

describe('the gate', () => {
  test('admits work and starts it', async () => {
    const { gate, admissions, begun } = build();
    const { run } = await gate.submit(work(review));
    expect(run.id).toBe('r1');
    expect(begun).toEqual(['r1']);
    expect(admissions).toMatchObject([
      {
        id: 'r1',
        sessionId: 's1',
        caller: { tenantId: 'default', userId: 'u1' },
        request: review,
        simulated: true,
        callId: 'c1',
      },
    ]);
  });

  test('a time limit counts from admission', async () => {
    const { gate, admissions } = build();
    await gate.submit(work({ ...review, config: { timeout_seconds: 90 } }));
    await gate.submit(work(review));
    expect(admissions.map((admission) => admission.deadlineAt)).toEqual(['2026-01-02T03:05:35.000Z', undefined]);
  });

  test('a run that has ended is not started again', async () => {
    const { gate, begun } = build({ status: 'completed' });
    await gate.submit(work(review));
    expect(begun).toEqual([]);
  });

  test.each<[JsonObject, string]>([
    [
      { ...review, workflow: 'colaborative' },
      `there is no workflow "colaborative", did you mean "collaborative"? (there are: ${KNOWN})`,
    ],
    [{ ...review, workflow: 'swarm' }, `there is no workflow "swarm" (there are: ${KNOWN})`],
    [{ ...review, agent_ids: ['ceo', 'cof'] }, 'there is no agent "cof", did you mean "cfo"? (there are: ceo, cfo)'],
    [{ ...review, agent_ids: ['x1', 'cfo', 'y2'] }, 'there are no agents "x1", "y2" (there are: ceo, cfo)'],
    [{ ...review, agent_ids: ['retired'] }, 'there is no agent "retired" (there are: ceo, cfo)'],
    [{ message: 'hi', agent_id: 'nobody' }, 'there is no agent "nobody" (there are: ceo, cfo)'],
    [
      { agent_ids: ['ceo'], workflow: 'perpetual' },
      '"purpose" must be given where there is no task: what the work is for, got null',
    ],
    [
      { message: 'hi', second_message: 'shout' },
      '"second_message" must be one of reject, enqueue, interrupt, steer, got "shout"',
    ],
    [{ ...review, config: { max_tokens: -1 } }, '"config.max_tokens" must be a whole number from 1, got -1'],
    [{ ...review, config: { max_turns: 0 } }, '"config.max_turns" must be a whole number from 1, got 0'],
  ])('%j is refused before anything is written', async (body, message) => {
    const { gate, admissions, begun } = build();
    const failure = await gate.submit(work(body)).catch((thrown: unknown) => thrown);
    expect(failure).toBeInstanceOf(AosError);
    expect(failure).toMatchObject({ code: 'invalid_request', message });
    expect([...admissions, ...begun]).toEqual([]);
  });
});

describe('what a run is pinned to', () => {
  test('is the newest version of its workflow and the agents as they are', async () => {
    const { gate, admissions, definitions } = build();
    await gate.submit(work(review));
    expect(admissions[0]?.definition).toBe('hash-of-collaborative@1');
    expect(definitions).toMatchObject([
      { workflow: 'collaborative@1', agents: [{ agent_id: 'ceo' }, { agent_id: 'cfo' }], tools: {} },
    ]);
  });

  test('of a chat that names nobody is the agent that answers', async () => {
    const { gate, definitions } = build();
    await gate.submit(work({ message: 'hi' }));
    expect(definitions).toMatchObject([{ workflow: 'chat@1', agents: [{ agent_id: 'ceo' }] }]);
  });

  test('includes the versions of the tools its agents use', async () => {
    const tools = { agents: [{ ...agent('ceo'), config: { tools: ['calculator', 'gone'] } }] };
    const catalogue = parseCatalogue(JSON.stringify(tools), 'test.json');
    const { gate, definitions } = build({ change: { catalogue, toolVersions: { calculator: '1', clock: '2' } } });
    await gate.submit(work({ message: 'hi' }));
    expect(definitions[0]?.tools).toEqual({ calculator: '1' });
  });

  test('of an agent nobody registered is one of general purpose, where that is allowed', async () => {
    const { gate, definitions } = build({ change: { allowUnregisteredAgents: true } });
    await gate.submit(work({ ...review, agent_ids: ['ceo', 'stranger'] }));
    expect(definitions[0]?.agents).toMatchObject([{ agent_id: 'ceo' }, { agent_type: 'GeneralAgent', enabled: true }]);
  });

  test('is work without an end when there is a purpose and no task', async () => {
    const { gate, admissions } = build();
    await gate.submit(work({ agent_ids: ['ceo'], workflow: 'collaborative', purpose: 'keep watch' }));
    expect(admissions[0]?.definition).toBe('hash-of-perpetual@1');
  });
});

describe('an orchestration that another run starts', () => {
  test('is checked and pinned, and not started', async () => {
    const { gate, admissions, begun } = build();
    expect(await gate.prepare(review, { tenantId: 'default', userId: '' })).toEqual({
      request: review,
      definition: 'hash-of-collaborative@1',
    });
    expect([...admissions, ...begun]).toEqual([]);
    await expect(
      gate.prepare({ ...review, workflow: 'swarm' }, { tenantId: 'default', userId: '' }),
    ).rejects.toMatchObject({
      code: 'invalid_request',
    });
  });
});

describe('a busy runtime', () => {
  test('tells new work to come back later', async () => {
    const { gate, admissions } = build({ oldestWaitMs: 10_001 });
    await expect(gate.submit(work(review))).rejects.toMatchObject({
      code: 'overloaded',
      retry: 'later',
      facts: { queued: 3, oldest_wait_ms: 10_001 },
    });
    expect(admissions).toEqual([]);
  });

  test('takes what its own runs ask for', async () => {
    const { gate, admissions } = build({ oldestWaitMs: 60_000, parent: { id: 'above', depth: 1 } });
    await gate.submit(work(review, { parentId: 'above' }));
    expect(admissions[0]?.parentId).toBe('above');
  });
});

describe('a sub-run', () => {
  test.each([
    [3, {}, 'admitted'],
    [4, {}, 'limit_exceeded'],
    [0, { max_depth: 0 }, 'limit_exceeded'],
    [8, { max_depth: 9 }, 'admitted'],
  ])('below a run at depth %s with config %o is %s', async (depth, config, outcome) => {
    const { gate } = build({ parent: { depth } });
    const submitted = gate.submit(work({ ...review, config }, { parentId: 'above' }));
    expect(await submitted.then(() => 'admitted').catch((thrown: AosError) => thrown.code)).toBe(outcome);
  });

  test('of a run that does not exist is refused', async () => {
    const { gate } = build();
    await expect(gate.submit(work(review, { parentId: 'above' }))).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('a second message', () => {
  const active = [{ id: 'answering' }, { id: 'next' }];
  const message = { message: 'and this' };

  test('waits its turn by default', async () => {
    const { gate, admissions, signals } = build({ active });
    await gate.submit(work(message));
    expect(admissions[0]?.sessionPolicy).toBe('enqueue');
    expect(signals).toEqual([]);
  });

  test('is refused with the run in the way', async () => {
    const { gate } = build({ active });
    await expect(gate.submit(work({ ...message, second_message: 'reject' }))).rejects.toMatchObject({
      code: 'conflict',
      reason: 'SESSION_BUSY',
      facts: { run_id: 'answering' },
    });
  });

  test('follows the agent where the request says nothing, and the request where it does', async () => {
    const entry = { ...agent('ceo'), config: { second_message: 'interrupt' } };
    const catalogue = parseCatalogue(JSON.stringify({ agents: [entry] }), 'test.json');
    const { gate, admissions } = build({ change: { catalogue } });
    await gate.submit(work(message));
    await gate.submit(work({ ...message, second_message: 'enqueue' }));
    expect(admissions.map(({ sessionPolicy }) => sessionPolicy)).toEqual(['interrupt', 'enqueue']);
  });

  test('steers the run that answers, and then waits for what becomes of it', async () => {
    const { gate, admissions, begun, signals, told } = build({ active });
    await gate.submit(work({ ...message, second_message: 'steer' }));
    expect(admissions[0]?.sessionPolicy).toBe('enqueue');
    expect(told).toEqual([{ runId: 'r1', event: { type: 'run.steering', data: { into: 'answering' } } }]);
    expect(signals).toEqual([
      {
        to: 'answering',
        signal: {
          id: 'steer/r1',
          name: 'steer',
          payload: { run_id: 'r1', message: 'and this' },
          actor: 'run:r1',
        },
      },
    ]);
    expect(begun).toEqual(['r1']);
  });

  test('that is sent again is handed over once', async () => {
    const { gate, signals } = build({ active: [{ id: 'answering' }, { id: 'r1' }] });
    const steering = work({ ...message, second_message: 'steer' });
    await gate.submit(steering);
    await gate.submit(steering);
    expect(signals).toHaveLength(1);
  });

  test('with nobody answering is answered by itself', async () => {
    const { gate, signals, told, begun } = build({ active: [{ id: 'r1' }] });
    await gate.submit(work({ ...message, second_message: 'steer' }));
    expect([...signals, ...told]).toEqual([]);
    expect(begun).toEqual(['r1']);
  });
});

describe('governance at the gate', () => {
  const ruled = (rules: JsonObject[], parts: Parameters<typeof testGovernor>[0] = {}) =>
    testGovernor({ policy: testPolicy({ rules }), ...parts });
  const allow = { id: 'work', effect: 'allow', reason: 'Work may come in.' };
  const deny = { id: 'closed', effect: 'deny', actions: ['run:*'], reason: 'We are closed.' };
  const redacting = {
    name: 'screening' as const,
    check: () => ({ kind: 'pass' as const, rule: 'redact', args: { ...review, task: { topic: '[EMAIL]' } } }),
  };

  test('tells the verdict with the run it lets in', async () => {
    const { gate, admissions } = build({ change: { governor: ruled([allow]) } });
    await gate.submit(work(review));
    expect(admissions[0]?.told).toMatchObject({
      key: 'submit:decided',
      type: 'governance.decided',
      data: { action: 'run:submit', rule: 'policy/work', accountable: 'Platform', entity_id: 'r1' },
    });
  });

  test('refuses with rule and accountable party, keeps that it did, and admits nothing', async () => {
    const kept: unknown[] = [];
    const keep = async (_action: unknown, { rule, verdict }: { rule: string; verdict: string }) =>
      void kept.push([verdict, rule]);
    const { gate, admissions } = build({ change: { governor: ruled([deny], { keep }) } });
    await expect(gate.submit(work(review))).rejects.toMatchObject({
      code: 'forbidden',
      reason: 'GOVERNANCE_DENIED',
      facts: { rule: 'policy/closed', accountable: 'Platform' },
    });
    expect(admissions).toEqual([]);
    expect(kept).toEqual([['deny', 'policy/closed']]);
  });

  test('lets in what somebody has to agree to, held until they do, and keeps no refusal', async () => {
    const kept: unknown[] = [];
    const governor = ruled([{ ...deny, effect: 'hold' }], { keep: async () => void kept.push('kept') });
    const { gate, admissions, begun } = build({ change: { governor } });
    await gate.submit(work(review));
    expect(admissions).toMatchObject([
      { held: true, told: { key: 'submit:held', data: { verdict: 'hold', rule: 'policy/closed' } } },
    ]);
    expect([begun, kept]).toEqual([['r1'], []]);
  });

  test('lets in again what was let in before, whatever the rules say by now', async () => {
    const kept: unknown[] = [];
    const governor = ruled([deny], { keep: async () => void kept.push('kept') });
    const { gate, admissions } = build({ parent: { id: 'r1' }, change: { governor } });
    await gate.submit(work(review));
    expect(admissions).toMatchObject([{ id: 'r1', request: review, told: undefined }]);
    expect(kept).toEqual([]);
  });

  test('admits the body as a check left it, and knows the one that was sent', async () => {
    const governor = unenforcedGovernor({ checks: [redacting] });
    const { gate, admissions } = build({ change: { governor } });
    await gate.submit(work(review));
    expect(admissions).toMatchObject([
      { request: { task: { topic: '[EMAIL]' } }, asked: review, told: { type: 'governance.decided' } },
    ]);
  });

  test('asks for nothing and tells nothing where nothing is enforced', async () => {
    const { gate, admissions } = build({ change: { governor: unenforcedGovernor() } });
    await gate.submit(work(review));
    expect(admissions).toMatchObject([{ request: review, told: undefined }]);
  });

  test('judges a cancel before it is one', async () => {
    const caller = { tenantId: 'default', userId: 'u1' };
    const closed = build({ change: { governor: ruled([deny]) } });
    await expect(closed.gate.cancel('r1', 'enough', caller)).rejects.toMatchObject({ code: 'forbidden' });
    expect(closed.cancelled).toEqual([]);
    const open = build({ change: { governor: ruled([allow]) } });
    await open.gate.cancel('r1', 'enough', caller);
    expect(open.cancelled).toEqual(['r1']);
  });
});
