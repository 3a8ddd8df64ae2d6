import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { runKey } from '../../src/runs/run.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { taskHistory } from '../../src/tasks/task-history.ts';
import { createTestDatabase } from '../support/database.ts';
import { silentLog } from '../support/log.ts';
import { acme, newTask, soon, untilEnded } from '../support/tasks.ts';
import { startWorkers, type WorkerPlan } from '../support/worker-program.ts';

let url: string;
let database: Database;
let workers: Awaited<ReturnType<typeof startWorkers>> | undefined;
const children: ChildProcess[] = [];
beforeAll(async () => {
  url = await createTestDatabase();
  database = await openDatabase({ url, clock: systemClock, log: silentLog });
});
afterEach(async () => {
  await workers?.stop();
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGKILL');
    await once(child, 'close');
  }
});
afterAll(() => database.close());

async function startElsewhere(plan: Pick<WorkerPlan, 'stuckIn'>) {
  const program = join(import.meta.dirname, '../support/worker-program.ts');
  const child = spawn(process.execPath, [program, url, JSON.stringify(plan)], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  const said = (line: string) => expect.poll(() => lines, soon).toContain(line);
  await said('ready');
  return { child, said, lines };
}

async function startHere() {
  const said: string[] = [];
  workers = await startWorkers(database, { say: (line) => said.push(line) });
  return { ...workers, said };
}

describe('with the real engine', () => {
  it('goes on here with what a killed process was doing, in the same attempt and without repeating finished steps', async () => {
    const elsewhere = await startElsewhere({ stuckIn: 'second' });
    // Submitted where nobody works yet but the other process.
    const here = await startHere();
    await here.pool.change({ policy: 'manual' });
    await here.pool.stop();
    const task = await here.queue.submit(newTask({ payload: { steps: ['first', 'second'] } }), acme);
    await elsewhere.said('step second');
    workers = undefined;
    const survivor = await startHere();
    elsewhere.child.kill('SIGKILL');
    expect(await untilEnded(survivor.queue, task)).toMatchObject({
      status: 'completed',
      attempt: 1,
      retryCount: 0,
      claim: expect.toSatisfy((claim) => claim >= 2),
      result: { steps: ['first', 'second'] },
    });
    expect(survivor.said).toEqual(['step second']);
    await here.engine.stop();
  }, 30_000);

  it('goes on with the tasks of two tenants that have one id, each where it was', async () => {
    const elsewhere = await startElsewhere({ stuckIn: 'second' });
    const here = await startHere();
    await here.pool.change({ policy: 'manual' });
    await here.pool.stop();
    const submit = (tenantId: string, steps: string[]) =>
      here.queue.submit(newTask({ payload: { steps } }), { tenantId, userId: 'ada' }, { id: 'shared' });
    const one = await submit('acme', ['acme-1', 'second', 'acme-3']);
    const other = await submit('globex', ['globex-1', 'second', 'globex-3']);
    await expect.poll(() => elsewhere.lines.filter((line) => line === 'step second'), soon).toHaveLength(2);
    workers = undefined;
    const survivor = await startHere();
    elsewhere.child.kill('SIGKILL');
    for (const task of [one, other]) {
      const ended = await untilEnded(survivor.queue, task);
      expect(ended).toMatchObject({ status: 'completed', attempt: 1, result: task.submission.payload });
      const history = () => taskHistory(database.db, task, { after: '', limit: 100 });
      await expect.poll(async () => (await history()).at(-1)?.type, soon).toBe('task.completed');
      expect((await history()).filter(({ type }) => type === 'run.completed')).toHaveLength(1);
    }
    expect(survivor.said.toSorted()).toEqual(['step acme-3', 'step globex-3', 'step second', 'step second']);
    await here.engine.stop();
  }, 30_000);

  it('aborts the code of another process at once when its task is cancelled here', async () => {
    const elsewhere = await startElsewhere({ stuckIn: 'only' });
    const here = await startHere();
    await here.pool.stop();
    const task = await here.queue.submit(newTask({ payload: { steps: ['only'] } }), acme);
    await elsewhere.said('step only');
    await here.queue.cancel(task.id, 'enough', acme);
    await elsewhere.said('aborted only');
    await expect
      .poll(() => here.queue.find(task.id, acme), soon)
      .toMatchObject({ status: 'cancelled', statusMessage: 'enough', isClaimed: false });
  }, 30_000);

  it('waits for an approval without worker and without deadline, goes on when it comes, and keeps it all in order', async () => {
    const here = await startHere();
    const task = await here.queue.submit(newTask({ payload: { steps: ['ask'], wait: 'approval/a-1' } }), acme);
    await expect
      .poll(() => here.queue.find(task.id, acme), soon)
      .toMatchObject({ status: 'awaiting_approval', isClaimed: false });
    const waiting = await here.queue.find(task.id, acme);
    expect(waiting && (await here.queue.explain(waiting))).toMatchObject({
      reason: 'approval',
      approval_id: 'a-1',
      sentence: 'It waits for approval a-1. No worker is held meanwhile.',
    });
    expect(await here.runs.load(runKey(task.caller.tenantId, `${task.id}.1`))).toMatchObject({
      status: 'waiting',
      deadlineAt: null,
    });

    await here.engine.signal(runKey(task.caller.tenantId, `${task.id}.1`), {
      name: 'approval/a-1',
      payload: { decision: 'approved' },
      actor: 'user:eve',
    });
    expect(await untilEnded(here.queue, task)).toMatchObject({
      status: 'completed',
      result: { said: { decision: 'approved' } },
    });
    expect(await here.runs.load(runKey(task.caller.tenantId, `${task.id}.1`))).toMatchObject({
      deadlineAt: expect.any(String),
    });
    const history = () => taskHistory(database.db, task, { after: '', limit: 100 });
    await expect
      .poll(async () => (await history()).map(({ type }) => type), soon)
      .toEqual([
        'task.submitted',
        'task.assigned',
        'run.queued',
        'task.started',
        'run.waiting',
        'task.assigned',
        'task.started',
        'run.resumed',
        'run.completed',
        'task.completed',
      ]);
    const [, second] = await history();
    const rest = await taskHistory(database.db, task, { after: second?.position ?? '', limit: 3 });
    expect(rest.map(({ type }) => type)).toEqual(['run.queued', 'task.started', 'run.waiting']);
  }, 30_000);

  it('tells its listeners of every end', async () => {
    const here = await startHere();
    const ended: string[] = [];
    here.queue.onEnd(({ id, status }) => ended.push(`${id} ${status}`));
    const task = await here.queue.submit(newTask({ payload: { steps: ['one'] } }), acme);
    await expect.poll(() => ended, soon).toEqual([`${task.id} completed`]);
  });
});
