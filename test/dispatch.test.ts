import { describe, expect, test } from 'vitest';
import { parseCatalogue } from '../src/agents/catalogue.ts';
import { systemClock } from '../src/core/clock.ts';
import { AosError } from '../src/core/errors.ts';
import type { JsonObject } from '../src/core/json.ts';
import { createGate, type WorkRequest } from '../src/dispatch.ts';
import type { Run, RunStatus } from '../src/runs/run.ts';
import type { RunAdmission } from '../src/runs/run-store.ts';

const agent = (agent_id: string, enabled = true) => ({
  agent_id,
  agent_type: 'T',
  purpose: 'p',
  adapter_name: 'a',
  enabled,
});
const registry = JSON.stringify({ agents: [agent('ceo'), agent('cfo'), agent('retired', false)] });
const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);

function build(status: RunStatus = 'queued') {
  const admissions: RunAdmission[] = [];
  const begun: string[] = [];
  const gate = createGate({
    catalogue: parseCatalogue(registry, 'test.json'),
    runs: {
      async admit(admission) {
        admissions.push(admission);
        return { run: { id: admission.id, status } as Run, outcome: 'created' };
      },
    },
    engine: {
      async begin(id) {
        begun.push(id);
      },
    },
    clock: { ...systemClock, now: () => NOW },
    simulated: true,
  });
  return { gate, admissions, begun };
}

const work = (body: JsonObject): WorkRequest => ({
  id: 'r1',
  kind: 'message' in body ? 'chat' : 'orchestration',
  sessionId: 's1',
  caller: { tenantId: 'default', userId: 'u1' },
  body,
  callId: 'c1',
});
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
    const { gate, begun } = build('completed');
    await gate.submit(work(review));
    expect(begun).toEqual([]);
  });

  test.each<[JsonObject, string]>([
    [
      { ...review, workflow: 'colaborative' },
      'there is no workflow "colaborative", did you mean "collaborative"? (there are: sequential, collaborative)',
    ],
    [{ ...review, workflow: 'swarm' }, 'there is no workflow "swarm" (there are: sequential, collaborative)'],
    [{ ...review, agent_ids: ['ceo', 'cof'] }, 'there is no agent "cof", did you mean "cfo"? (there are: ceo, cfo)'],
    [{ ...review, agent_ids: ['x1', 'cfo', 'y2'] }, 'there are no agents "x1", "y2" (there are: ceo, cfo)'],
    [{ ...review, agent_ids: ['retired'] }, 'there is no agent "retired" (there are: ceo, cfo)'],
    [{ message: 'hi', agent_id: 'nobody' }, 'there is no agent "nobody" (there are: ceo, cfo)'],
    [{ ...review, config: { max_turns: 0 } }, '"config.max_turns" must be a whole number from 1, got 0'],
  ])('%j is refused before anything is written', async (body, message) => {
    const { gate, admissions, begun } = build();
    const failure = await gate.submit(work(body)).catch((thrown: unknown) => thrown);
    expect(failure).toBeInstanceOf(AosError);
    expect(failure).toMatchObject({ code: 'invalid_request', message });
    expect([...admissions, ...begun]).toEqual([]);
  });
});
