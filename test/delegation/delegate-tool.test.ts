/** Agents that hand work on in the course of a run: in the whole container, by the words of the simulated model. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT_CONTEXT } from '@opentelemetry/api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { createDelegateTool } from '../../src/delegation/delegate-tool.ts';
import type { Delegation } from '../../src/delegation/delegation.ts';
import { type ApiClient, createApiClient } from '../support/api.ts';
import { startTestContainer, type TestContainer } from '../support/container.ts';
import { createTestDatabase } from '../support/database.ts';
import { startTestEngine } from '../support/engine.ts';

const agent = (id: string, tools: string[] = []) => ({
  agent_id: id,
  agent_type: 'ClerkAgent',
  purpose: 'Do what is asked',
  adapter_name: id,
  capabilities: [],
  config: { tools },
  enabled: true,
});
let folder: string;
let registryPath: string;
let container: TestContainer;
let api: ApiClient;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aos-delegate-'));
  registryPath = join(folder, 'agents.json');
  await writeFile(registryPath, JSON.stringify({ agents: [agent('chief', ['delegate']), agent('clerk')] }));
  container = await startTestContainer({ registryPath });
  api = createApiClient(container.url);
  // Somebody who is not of this server: works when the test says so.
  await api.post('/api/v1/a2a/agents/scout/register', { name: 'scout' });
});
afterAll(async () => {
  await container?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

async function asked(message: string, more: JsonObject = {}): Promise<string> {
  const id = randomUUID();
  const response = await fetch(`${container.url}/invocations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-agent-invocation-id': id },
    body: JSON.stringify({ message, agent_id: 'chief', background: true, ...more }),
  });
  expect(response.status, await response.text()).toBe(202);
  return id;
}

const answered = async (answer: Promise<{ status: number; body: JsonObject }>) => {
  const { status, body } = await answer;
  expect(status, JSON.stringify(body)).toBe(200);
};

const runOf = async (id: string) => (await api.get(`/api/v1/aoa/runs/${id}`)).body;
const sent = async (id: string) => {
  const { body } = await api.get('/api/v1/a2a/agents/chief/delegations/sent');
  return (body['delegations'] as JsonObject[]).filter((one) => one['parent_run_id'] === id);
};

async function ended(id: string): Promise<JsonObject> {
  await expect.poll(async () => (await runOf(id))['status'], { timeout: 20_000 }).toMatch(/completed|failed|cancelled/);
  return runOf(id);
}

async function waiting(id: string): Promise<JsonObject> {
  await expect.poll(async () => (await runOf(id))['waiting_for'], { timeout: 20_000 }).toBe('run');
  return runOf(id);
}

describe('an agent that delegates', () => {
  it('hands work to another agent as a child of its run, and says what came of it', async () => {
    const id = await asked('delegate to clerk: what is 17 times 23?');
    const run = await ended(id);
    expect(JSON.stringify(run['result'])).toContain('clerk has done it');
    expect(run['children']).toMatchObject([{ status: 'completed' }]);
    expect(await sent(id)).toMatchObject([{ status: 'completed', from_agent: 'chief', to_agent: 'clerk' }]);
  });

  it('waits meanwhile, naming the delegation, and goes on with its result over a restart, having handed it on once', async () => {
    const id = await asked('delegate to scout: look behind the hill');
    const { waits } = await waiting(id);
    const [{ id: delegation } = {}] = await sent(id);
    expect(waits).toMatchObject([
      { reason: 'run', detail: { delegation_id: delegation, agent_id: 'scout', until: expect.any(String) } },
    ]);
    // The server is another one from here on.
    const { databaseUrl } = container;
    await container[Symbol.asyncDispose]();
    container = await startTestContainer({ registryPath, databaseUrl });
    api = createApiClient(container.url);
    const word = (type: string, payload: JsonObject) =>
      answered(api.post('/api/v1/a2a/messages', { type, from_agent: 'scout', to_agent: 'chief', payload }));
    await word('delegate_accept', { delegation_id: String(delegation) });
    await word('delegate_result', { delegation_id: String(delegation), result: 'there is a river', cost_usd: 0.2 });
    expect(JSON.stringify((await ended(id))['result'])).toContain('there is a river');
    expect(await sent(id)).toMatchObject([{ id: delegation, status: 'completed', cost_usd: 0.2 }]);
  });

  it('is told why when the work is refused', async () => {
    const run = await ended(await asked('delegate to chief: do it yourself'));
    expect(run['status']).toBe('completed');
    expect(JSON.stringify(run['result'])).toContain('SELF_DELEGATION');
    const nobody = await ended(await asked('delegate to nobody: do it'));
    expect(JSON.stringify(nobody['result'])).toContain('nobody');
  });

  it('takes the work back when its run is cancelled', async () => {
    const id = await asked('delegate to scout: count the stars');
    await waiting(id);
    await fetch(`${container.url}/invocations/${id}/cancel`, { method: 'POST' });
    await ended(id);
    await expect.poll(async () => (await sent(id))[0]?.['status'], { timeout: 15_000 }).toBe('cancelled');
  });

  it('hands nothing outside in a simulated run', async () => {
    const run = await ended(await asked('delegate to scout: look', { simulation: true }));
    expect(JSON.stringify(run['result'])).toContain('reaches nobody outside');
  });
});

it('is handed over under the same id by whoever executes the run again', async () => {
  const url = await createTestDatabase();
  const ids: string[] = [];
  const open: Delegation = { ...testDelegation, status: 'accepted' };
  const start = (handOver: () => Promise<Delegation>, found: Delegation) => {
    const tool = createDelegateTool({
      handOver: (work) => {
        ids.push(work.id);
        return handOver();
      },
      find: async () => found,
      clock: systemClock,
    });
    return startTestEngine(
      url,
      async (scope) => {
        const input = { task: 'Do it.', timeout_seconds: 300 };
        const steps = { scope, name: 'tool-1', agentId: 'chief', traceContext: ROOT_CONTEXT };
        return { told: (await tool.asSteps?.(input, steps)) ?? null };
      },
      { stopGraceMs: 10 },
    );
  };
  // It was handed over, and the process ends before it knows.
  const began = Promise.withResolvers<void>();
  const first = await start(() => {
    began.resolve();
    return new Promise(() => {});
  }, open);
  const { id } = await first.begin();
  await began.promise;
  await first[Symbol.asyncDispose]();
  await using second = await start(async () => open, { ...open, status: 'completed', result: 'done' });
  expect(await second.ended(id)).toMatchObject({
    status: 'completed',
    result: { told: { delegation_id: 'd-1', agent_id: 'clerk', status: 'completed', result: 'done' } },
  });
  expect(ids).toHaveLength(2);
  expect(new Set(ids).size).toBe(1);
});

const testDelegation: Delegation = {
  id: 'd-1',
  number: '1',
  caller: { tenantId: 'default', userId: '' },
  from: 'chief',
  to: 'clerk',
  capability: 'execute',
  kind: 'full',
  priority: 5,
  status: 'pending',
  input: 'Do it.',
  context: {},
  reason: null,
  sharedState: {},
  chain: ['chief'],
  budget: { steps: 20, costUsd: 1 },
  timeoutSeconds: 300,
  correlationId: 'matter',
  messageId: 'm-1',
  parentId: null,
  parentRunId: null,
  taskId: null,
  runId: null,
  fabric: {},
  scan: null,
  createdAt: '2026-01-01T00:00:00.000Z',
  acceptBy: '2026-01-01T00:05:00.000Z',
  deadlineAt: '2026-01-01T00:05:00.000Z',
  acceptedAt: null,
  completedAt: null,
  result: null,
  outputContext: null,
  failure: null,
  tokens: null,
  costUsd: null,
  steps: null,
};
