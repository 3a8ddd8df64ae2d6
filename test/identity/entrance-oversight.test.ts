/** Whom an administrator of a tenant reaches, and in whose name, asked of a whole container with API keys. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import type { JsonObject, JsonValue } from '../../src/core/json.ts';
import { makeApiKey } from '../../src/identity/api-key.ts';
import { startTestContainer, type TestContainer } from '../support/container.ts';
import { openSocket } from '../support/socket-client.ts';

const people = {
  ann: { tenant: 'acme', roles: ['operator'] },
  bob: { tenant: 'acme', roles: ['operator'] },
  vera: { tenant: 'acme', roles: ['viewer'] },
  root: { tenant: 'acme', roles: ['admin'] },
  zoe: { tenant: 'other', roles: ['admin'] },
} as const;
type Person = keyof typeof people;
const made = Object.entries(people).map(([user, { tenant, roles }]) => ({
  user,
  ...makeApiKey({ name: user, user, tenant, roles: [...roles] }),
}));
const keyOf = (person: Person) => ({ 'x-api-key': made.find(({ user }) => user === person)?.key ?? '' });

let container: TestContainer;
let hers: { run: string; task: string; job: string; chat: string };

async function ask(person: Person, method: string, path: string, body?: JsonValue) {
  const response = await fetch(`${container.url}${path}`, {
    method,
    headers: { ...keyOf(person), accept: 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, text, body: (text === '' ? {} : JSON.parse(text)) as JsonObject };
}

async function make(person: Person, path: string, body: JsonValue): Promise<JsonObject> {
  const { status, text, body: answer } = await ask(person, 'POST', path, body);
  if (status >= 300) throw new Error(`${path} answers ${status}: ${text}`);
  return answer;
}

const waitingRun = async (person: Person) =>
  String(
    (
      await make(person, '/api/orchestrations', {
        agent_ids: ['ceo'],
        workflow: 'graph',
        task: { what: 'hold' },
        graph: {
          nodes: [
            {
              id: 'ask',
              type: 'approval',
              title: 'Spend?',
              action: 'spend',
              assignees: ['carla'],
              expires_in_seconds: 6000,
            },
          ],
        },
      })
    )['orchestration_id'],
  );

beforeAll(async () => {
  container = await startTestContainer({
    runtime: {
      identity: { mode: 'api-key', file: undefined, text: JSON.stringify(made.map(({ record }) => record)) },
      listenEverywhere: true,
    },
  });
  const far = new Date(Date.now() + 3_600_000).toISOString();
  const task = { task_type: 'health_check', scheduled_at: far, payload: {} };
  const job = { name: 'nightly', schedule_type: 'once', run_at: far, task_type: 'health_check' };
  hers = {
    run: await waitingRun('ann'),
    task: String((await make('ann', '/api/v1/aoa/tasks', task))['task_id']),
    job: String((await make('ann', '/api/v1/aoa/jobs', job))['job_id']),
    chat: String((await make('ann', '/invocations', { message: 'good morning', background: true }))['invocation_id']),
  };
  await make('ann', '/api/v1/aoa/sessions/board/documents', { title: 'plan', content: 'grow' });
  for (let looks = 0; ; looks++) {
    if ((await ask('root', 'GET', `/api/v1/approvals?run_id=${hers.run}`)).body['total'] === 1) break;
    if (looks > 400) throw new Error('the run asks for no approval');
    await systemClock.sleep(50);
  }
});
afterAll(async () => {
  await container?.[Symbol.asyncDispose]();
});

const reads = () => [
  `/api/orchestrations/${hers.run}`,
  `/api/v1/aoa/runs/${hers.run}`,
  `/api/v1/aoa/runs/${hers.run}/events`,
  `/api/v1/aoa/tasks/${hers.task}`,
  `/api/v1/aoa/jobs/${hers.job}`,
  `/invocations/${hers.chat}`,
];

describe('what a user has', () => {
  it('is read by him and the administrators of his tenant, and by nobody else', async () => {
    for (const path of reads()) {
      const statuses = await Promise.all(
        (['ann', 'root', 'bob', 'vera', 'zoe'] as const).map(async (person) => (await ask(person, 'GET', path)).status),
      );
      expect([path, ...statuses]).toEqual([path, 200, 200, 404, 404, 404]);
    }
  });

  it('stands in the lists of an administrator', async () => {
    const lists: [string, string][] = [
      ['/api/orchestrations', hers.run],
      ['/api/v1/aoa/runs?limit=100', hers.chat],
      ['/api/v1/aoa/tasks', hers.task],
      ['/api/v1/aoa/jobs', hers.job],
      [`/api/v1/approvals`, hers.run],
      ['/api/v1/aoa/sessions/board/documents', 'plan'],
      ['/api/v1/aoa/events?format=json&limit=200', hers.run],
    ];
    for (const [path, word] of lists) {
      expect((await ask('root', 'GET', path)).text, path).toContain(word);
      for (const person of ['bob', 'vera', 'zoe'] as const) {
        expect((await ask(person, 'GET', path)).text, `${person} ${path}`).not.toContain(word);
      }
    }
    await expect.poll(async () => (await ask('root', 'GET', '/api/v1/aoa/sessions')).text).toContain('"user_id":"ann"');
  });

  it('is reached through the envelope and a WebSocket alike', async () => {
    for (const [person, status] of [
      ['root', 200],
      ['bob', 404],
    ] as const) {
      const input = { run_id: hers.run };
      expect((await ask(person, 'POST', '/invocations', { operation: 'runs.get', input })).status).toBe(status);
      using socket = await openSocket(container.url, keyOf(person));
      socket.send({ type: 'get', request_id: 'g', invocation_id: hers.chat });
      await socket.until(({ request_id: id }) => id === 'g');
      expect(socket.received.some(({ type }) => type === (status === 200 ? 'invocation' : 'error'))).toBe(true);
    }
  });
});

describe('what an administrator does with it', () => {
  it('is done, in his name, and belongs to whom it belonged to', async () => {
    const acts: [string, string, JsonObject?][] = [
      ['POST', `/api/v1/aoa/jobs/${hers.job}/pause`, {}],
      ['POST', `/api/v1/aoa/jobs/${hers.job}/resume`, {}],
      ['DELETE', `/api/v1/aoa/tasks/${hers.task}`],
      ['POST', `/api/v1/aoa/runs/${hers.run}/cancel`, { reason: 'it stands in the way' }],
    ];
    for (const [method, path, body] of acts) {
      for (const person of ['bob', 'zoe'] as const) {
        expect([path, (await ask(person, method, path, body)).status]).toEqual([path, 404]);
      }
      expect((await ask('vera', method, path, body)).status).toBe(403);
      const done = await ask('root', method, path, body);
      expect(done.status, `${path}: ${done.text}`).toBeLessThan(300);
    }
    const run = (await ask('ann', 'GET', `/api/v1/aoa/runs/${hers.run}`)).body;
    expect(run).toMatchObject({ status: 'cancelled', user_id: 'ann' });
    const events = (await ask('ann', 'GET', `/api/v1/aoa/runs/${hers.run}/events`)).body['events'] as JsonObject[];
    expect(events.find(({ type }) => type === 'run.cancel_requested')).toMatchObject({ actor: 'user:root' });
    const audited = async () => {
      const { body } = await ask('root', 'GET', '/api/v1/aoa/audit?limit=200');
      return (body['items'] as JsonObject[])
        .filter(({ action }) =>
          /^(?:JOB_PAUSE|JOB_RESUME|TASK_CANCEL|ORCHESTRATION_CANCEL_REQUEST)$/.test(String(action)),
        )
        .map(({ actor }) => JSON.stringify(actor));
    };
    await expect.poll(async () => (await audited()).length).toBe(4);
    // One and the same person, who is not the owner.
    expect(new Set(await audited()).size).toBe(1);
    const own = (await ask('ann', 'GET', '/api/v1/aoa/audit?action=JOB_SCHEDULE')).body['items'] as JsonObject[];
    expect(JSON.stringify(own[0]?.['actor'])).not.toBe((await audited())[0]);
  });

  it('reaches a run at the door of invocations and on a WebSocket', async () => {
    const [one, other] = [await waitingRun('ann'), await waitingRun('ann')];
    expect((await ask('bob', 'POST', `/invocations/${one}/cancel`)).status).toBe(404);
    expect((await ask('root', 'POST', `/invocations/${one}/cancel`)).status).toBeLessThan(300);
    using socket = await openSocket(container.url, keyOf('root'));
    socket.send({ type: 'cancel', request_id: 'c', invocation_id: other });
    await socket.until(({ request_id: id }) => id === 'c');
    for (const id of [one, other]) {
      await expect
        .poll(async () => (await ask('ann', 'GET', `/api/v1/aoa/runs/${id}`)).body['status'])
        .toBe('cancelled');
      const events = (await ask('ann', 'GET', `/api/v1/aoa/runs/${id}/events`)).body['events'] as JsonObject[];
      expect(events.find(({ type }) => type === 'run.cancel_requested')).toMatchObject({ actor: 'user:root' });
    }
  });

  it('makes nobody an approver who is not asked', async () => {
    const id = await waitingRun('ann');
    const open = async () => (await ask('root', 'GET', `/api/v1/approvals?run_id=${id}`)).body['items'] as JsonObject[];
    await expect.poll(async () => (await open()).length).toBe(1);
    const approval = String((await open())[0]?.['id']);
    expect(await ask('root', 'POST', `/api/v1/approvals/${approval}/approve`, {})).toMatchObject({
      status: 403,
      body: { code: 'NOT_ASSIGNED' },
    });
    expect((await ask('bob', 'GET', `/api/v1/approvals/${approval}`)).status).toBe(404);
  });

  it('leaves what he starts his own', async () => {
    const id = await waitingRun('root');
    expect((await ask('root', 'GET', `/api/v1/aoa/runs/${id}`)).body).toMatchObject({ user_id: 'root' });
    expect((await ask('ann', 'GET', `/api/v1/aoa/runs/${id}`)).status).toBe(404);
  });
});
