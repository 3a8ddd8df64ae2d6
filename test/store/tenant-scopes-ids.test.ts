/** Two tenants at the doors of one server that call their tasks, actions and jobs by the same ids. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JsonObject, JsonValue } from '../../src/core/json.ts';
import { startTestContainer, type TestContainer } from '../support/container.ts';

const TASKS = '/api/v1/aoa/tasks';
const JOBS = '/api/v1/aoa/jobs';
const ACTIONS = '/api/v1/fabric/actions';
/** Each with the word that stands in all it asks for, and in nothing of the other's. */
const tenants = [
  { tenant: 'ours', word: 'harmonica', other: 'xylophone' },
  { tenant: 'theirs', word: 'xylophone', other: 'harmonica' },
] as const;
const [ours, theirs] = tenants;
const soon = { timeout: 30_000, interval: 20 };
const FAR = new Date(Date.now() + 3_600_000).toISOString();

let container: TestContainer;
beforeAll(async () => {
  container = await startTestContainer();
});
afterAll(() => container[Symbol.asyncDispose]());

type Who = Pick<(typeof tenants)[number], 'tenant'>;

async function ask({ tenant }: Who, method: string, path: string, body?: JsonValue) {
  const response = await fetch(`${container.url}${path}`, {
    method,
    headers: { 'x-tenant-id': tenant },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, text, body: JSON.parse(text) as JsonObject };
}

/** A member of what is told under a path. */
const told = async (who: Who, path: string, member: string) => (await ask(who, 'GET', path)).body[member];
const items = async (who: Who, path: string) => (await told(who, path, 'items')) as JsonObject[];

/** Every tenant asks for the same thing, in its own words. */
async function makeForEach(path: string, bodyOf: (word: string) => JsonValue): Promise<void> {
  for (const who of tenants) {
    const made = await ask(who, 'POST', path, bodyOf(who.word));
    expect(made.status, made.text).toBeLessThan(300);
  }
}

describe('a task id that two tenants use', () => {
  it('is run for each to its end, and each is told of its own', async () => {
    const id = 'report';
    await makeForEach(TASKS, (word) => ({
      task_id: id,
      task_type: 'agent_run',
      agent_id: 'ceo',
      payload: { input: `What of the ${word}?` },
    }));
    for (const who of tenants) {
      await expect.poll(() => told(who, `${TASKS}/${id}`, 'status'), soon).toBe('completed');
      const task = await ask(who, 'GET', `${TASKS}/${id}`);
      expect(task.body).toMatchObject({ tenant_id: who.tenant, payload: { input: `What of the ${who.word}?` } });
      expect(await items(who, TASKS)).toMatchObject([{ id, tenant_id: who.tenant }]);
      const past = `${TASKS}/${id}/events?limit=100`;
      await expect.poll(async () => (await items(who, past)).at(-1)?.['type'], soon).toBe('task.completed');
      const history = await ask(who, 'GET', past);
      const elsewhere = [`/api/v1/aoa/runs/${id}.1/events?limit=100`, `/api/v1/aoa/audit?task_id=${id}`];
      const texts = await Promise.all(elsewhere.map(async (path) => (await ask(who, 'GET', path)).text));
      for (const text of [task.text, history.text, ...texts]) expect(text).not.toContain(who.other);
      const happened = (history.body['items'] as JsonObject[]).map(({ type }) => type);
      expect(happened.filter((type) => type === 'task.submitted')).toHaveLength(1);
      expect(happened.filter((type) => type === 'run.completed')).toHaveLength(1);
      const actions = (await items(who, `/api/v1/aoa/audit?task_id=${id}`)).map(({ action }) => action);
      expect(actions.filter((action) => action === 'TASK_SUBMIT')).toHaveLength(1);
    }
  });

  it('is cancelled for the one that asks', async () => {
    const id = 'later';
    await makeForEach(TASKS, (word) => ({
      task_id: id,
      task_type: 'health_check',
      payload: { word },
      scheduled_at: FAR,
    }));
    const cancelled = await ask(theirs, 'DELETE', `${TASKS}/${id}`);
    expect(cancelled.body).toMatchObject({ status: 'cancelled', payload: { word: theirs.word } });
    expect(await told(ours, `${TASKS}/${id}`, 'status')).toBe('pending');
    expect((await ask(ours, 'DELETE', `${TASKS}/${id}`)).body).toMatchObject({ payload: { word: ours.word } });
  });

  it('is tried again for the one that asks', async () => {
    const id = 'nobodys';
    await makeForEach(TASKS, (word) => ({
      task_id: id,
      task_type: 'agent_run',
      agent_id: 'nobody',
      payload: { input: word },
      max_retries: 0,
    }));
    for (const who of tenants) await expect.poll(() => told(who, `${TASKS}/${id}`, 'status'), soon).toBe('failed');
    expect((await ask(theirs, 'POST', `${TASKS}/${id}/retry`)).status).toBe(202);
    await expect.poll(() => told(theirs, `${TASKS}/${id}`, 'attempt_run_id'), soon).toBe(`${id}.2`);
    await expect.poll(() => told(theirs, `${TASKS}/${id}`, 'status'), soon).toBe('failed');
    expect(await told(ours, `${TASKS}/${id}`, 'attempt_run_id')).toBe(`${id}.1`);
  });

  it('is an action of each, with what each wants done', async () => {
    const id = 'lead-42';
    await makeForEach(ACTIONS, (word) => ({
      action_id: id,
      target_system: 'crm',
      action_type: 'update',
      entity_id: word,
      data: { word },
    }));
    for (const who of tenants) {
      await expect.poll(() => told(who, `${TASKS}/${id}`, 'completed_at'), soon).not.toBe(null);
      const action = await ask(who, 'GET', `${ACTIONS}/${id}`);
      expect(action.text).toContain(who.word);
      expect(action.text).not.toContain(who.other);
      expect(await items(who, ACTIONS)).toHaveLength(1);
      // Each happening has its one place in the log of the tenant it happened to.
      const logged = (await items(who, `/api/v1/aoa/audit?task_id=${id}`)).map(({ action }) => action);
      expect(logged.toSorted()).toEqual([...new Set(logged)].toSorted());
    }
  });
});

describe('a job id that two tenants use', () => {
  const id = 'nightly';
  const runs = (who: Who) => items(who, `${JOBS}/${id}/runs`);

  it('is a job of each: triggered, paused and cancelled by its own', async () => {
    await makeForEach(JOBS, (word) => ({
      id,
      name: word,
      schedule_type: 'once',
      run_at: FAR,
      task_type: 'health_check',
      payload: { word },
    }));
    expect(
      (
        await ask(theirs, 'POST', JOBS, {
          id,
          name: 'x',
          schedule_type: 'once',
          run_at: FAR,
          task_type: 'health_check',
        })
      ).status,
    ).toBe(409);
    for (const who of tenants) {
      expect((await ask(who, 'GET', `${JOBS}/${id}`)).body).toMatchObject({
        name: who.word,
        payload: { word: who.word },
      });
      expect((await ask(who, 'POST', `${JOBS}/${id}/trigger`)).status).toBe(202);
      await expect.poll(async () => (await runs(who)).map(({ status }) => status), soon).toEqual(['completed']);
      const [run] = await runs(who);
      const task = await ask(who, 'GET', `${TASKS}/${String(run?.['task_id'])}`);
      expect(task.body).toMatchObject({ payload: { word: who.word }, metadata: { job_id: id, job_name: who.word } });
    }
    expect((await ask(theirs, 'POST', `${JOBS}/${id}/pause`)).body).toMatchObject({ status: 'paused' });
    expect(await told(ours, `${JOBS}/${id}`, 'status')).toBe('scheduled');
    expect((await ask(ours, 'DELETE', `${JOBS}/${id}`)).body).toMatchObject({ status: 'cancelled' });
    expect(await told(theirs, `${JOBS}/${id}`, 'status')).toBe('paused');
    expect((await ask(theirs, 'POST', `${JOBS}/${id}/resume`)).body).toMatchObject({ status: 'scheduled' });
    for (const who of tenants) expect(await items(who, JOBS)).toMatchObject([{ id, name: who.word }]);
  });
});
