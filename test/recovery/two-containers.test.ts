/** Two containers on one database: work is shared, and what one of them leaves behind the other brings to its end. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import pg from 'pg';
import { afterAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { JsonObject } from '../../src/core/json.ts';
import { createTestDatabase } from '../support/database.ts';
import { allEvents, BOARD_REVIEW, eventsOf, post, type SeenEvent } from '../support/invocations.ts';

const PROGRAM = join(import.meta.dirname, '../fixtures/mortal-container.ts');
const RUNS = 12;
const living = new Set<ChildProcess>();

afterAll(async () => {
  const exits = [...living].map((child) => once(child, 'exit'));
  for (const child of living) child.kill('SIGKILL');
  await Promise.all(exits);
});

async function start(databaseUrl: string): Promise<{ url: string; kill(): Promise<void> }> {
  const child = spawn(process.execPath, [PROGRAM], { stdio: ['pipe', 'pipe', 'inherit'] });
  living.add(child);
  child.stdin.write(`${databaseUrl}\n`);
  const [url] = await once(createInterface({ input: child.stdout }), 'line');
  return {
    url: String(url),
    async kill() {
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
      living.delete(child);
    },
  };
}

test('killed under load, one leaves its runs to the other, whose followers see every event once', async () => {
  const databaseUrl = await createTestDatabase();
  const [victim, survivor] = await Promise.all([start(databaseUrl), start(databaseUrl)]);
  const ids = Array.from({ length: RUNS }, (_, number) => `shared-${number}`);
  for (const [number, id] of ids.entries()) {
    const { url } = number % 2 === 0 ? victim : survivor;
    const answer = await post(
      `${url}/invocations`,
      { ...BOARD_REVIEW, background: true },
      { 'x-agent-invocation-id': id },
    );
    expect(answer.status).toBe(202);
  }
  const followed = ids.map((id) =>
    allEvents(fetch(`${survivor.url}/invocations/${id}`, { headers: { accept: 'text/event-stream' } })),
  );
  // In the middle of the victim's work: one of its runs has begun to speak.
  await expect
    .poll(async () => {
      const seen = await fetch(`${survivor.url}/invocations/${ids[0]}`);
      return ((await seen.json()) as { last_event: number }).last_event;
    })
    .toBeGreaterThan(3);
  await victim.kill();

  for (const events of await Promise.all(followed)) {
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
    expect(events.at(-1)?.type).toBe('run.completed');
    expect(events.filter(({ type }) => type === 'turn.completed')).toHaveLength(7);
  }
}, 60_000);

/** A follower over a socket: every event of the runs, as they come. Resolves when all of them have ended. */
async function followOverSocket(url: string, ids: readonly string[]): Promise<Map<string, JsonObject[]>> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/invocations_ws`);
  await once(socket, 'open');
  const seen = new Map<string, JsonObject[]>(ids.map((id) => [id, []]));
  const open = new Set(ids);
  const done = Promise.withResolvers<void>();
  socket.on('close', () => done.reject(new Error(`the socket closed before ${[...open]} ended`)));
  socket.on('message', (data) => {
    const frame = JSON.parse(String(data)) as JsonObject;
    const id = String(frame['invocation_id']);
    if (frame['type'] === 'end') open.delete(id);
    else if (typeof frame['seq'] === 'number') seen.get(id)?.push(frame);
    if (open.size === 0) done.resolve();
  });
  for (const id of ids) socket.send(JSON.stringify({ type: 'follow', invocation_id: id }));
  await done.promise;
  socket.close();
  return seen;
}

/** An empty database, and questions about what is in it. */
async function openShared() {
  const databaseUrl = await createTestDatabase();
  const client = new pg.Client({ connectionString: databaseUrl });
  return {
    databaseUrl,
    connect: () => client.connect(),
    /** The values of the first column. */
    async column<T>(query: string): Promise<T[]> {
      const { rows } = await client.query({ text: query, rowMode: 'array' });
      return rows.map(([value]) => value as T);
    },
    [Symbol.asyncDispose]: () => client.end(),
  };
}

async function json(response: Response | Promise<Response>): Promise<JsonObject> {
  const answer = await response;
  expect(answer.status, answer.url).toBeLessThan(300);
  return (await answer.json()) as JsonObject;
}

const PATIENCE = { timeout: 30_000, interval: 20 };

test('both execute what is submitted to both; the dead one’s work goes on within ten seconds', async () => {
  await using shared = await openShared();
  const [victim, survivor] = await Promise.all([start(shared.databaseUrl), start(shared.databaseUrl)]);
  await shared.connect();
  const ids = Array.from({ length: RUNS }, (_, number) => `load-${number}`);
  const tasks = ids.map((id) => `task-${id}`);
  for (const [number, id] of ids.entries()) {
    const { url } = number % 2 === 0 ? victim : survivor;
    await json(post(`${url}/invocations`, { ...BOARD_REVIEW, background: true }, { 'x-agent-invocation-id': id }));
    const task = { task_id: tasks[number], agent_id: 'cfo', payload: { input: 'What should we do this quarter?' } };
    await json(post(`${url}/api/v1/aoa/tasks`, task, { 'content-type': 'application/json' }));
  }
  const followed = followOverSocket(survivor.url, ids);

  await expect
    .poll(
      () =>
        shared.column(`select distinct executor from aos.runs where kind = 'orchestration' and executor is not null`),
      PATIENCE,
    )
    .toHaveLength(2);
  const pools = `select distinct left(worker_id, 13) from aos.tasks where worker_id is not null`;
  await expect.poll(() => shared.column(pools), PATIENCE).toHaveLength(2);
  await expect
    .poll(() => shared.column<number>(`select last_event from aos.runs where id = 'load-0'`), PATIENCE)
    .toSatisfy(([last = 0]: number[]) => last > 3);
  await victim.kill();
  const killedAt = Date.now();
  const interrupted = await shared.column<string>(
    `select id from aos.runs where kind = 'orchestration' and status = 'running'
       and id in (${ids.filter((_, number) => number % 2 === 0).map((id) => `'${id}'`)})`,
  );
  expect(interrupted.length).toBeGreaterThan(0);

  const seen = await followed;
  for (const id of ids) {
    const events = seen.get(id) ?? [];
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
    expect(events.at(-1)?.['type']).toBe('run.completed');
  }
  for (const id of interrupted) {
    const times = (seen.get(id) ?? []).map(({ at }) => Date.parse(String(at)));
    expect(times.find((at) => at >= killedAt)).toBeLessThan(killedAt + 10_000);
  }
  await expect.poll(() => shared.column(`select distinct status from aos.tasks`), PATIENCE).toEqual(['completed']);
  expect(await shared.column(`select id from aos.tasks where attempt <> 1 or retry_count <> 0`)).toEqual([]);
}, 90_000);

test('a schedule fires each time once, on two schedulers and then on one', async () => {
  await using shared = await openShared();
  const [victim, survivor] = await Promise.all([start(shared.databaseUrl), start(shared.databaseUrl)]);
  await shared.connect();
  const job = {
    name: 'twice a second',
    schedule_type: 'interval',
    interval_seconds: 1,
    max_runs: 5,
    misfire_policy: 'run_all',
    overlap_policy: 'queue',
    task_type: 'health_check',
  };
  await json(post(`${victim.url}/api/v1/aoa/jobs`, job, { 'content-type': 'application/json' }));
  const fired = `select run_number from aos.job_runs where submitted_at is not null order by run_number`;
  await expect.poll(() => shared.column(fired), PATIENCE).toHaveLength(2);
  await victim.kill();
  await expect.poll(() => shared.column(`select status from aos.jobs`), PATIENCE).toEqual(['completed']);
  expect(await shared.column(`select run_number from aos.job_runs order by planned_at`)).toEqual([1, 2, 3, 4, 5]);
  expect(await shared.column(`select count(*)::int from aos.tasks`)).toEqual([5]);
  await expect.poll(() => shared.column(`select distinct status from aos.job_runs`), PATIENCE).toEqual(['completed']);
  await survivor.kill();
}, 60_000);

test('events of one reach followers of the other as they are written, and what it asked is decided there', async () => {
  await using shared = await openShared();
  const [victim, survivor] = await Promise.all([start(shared.databaseUrl), start(shared.databaseUrl)]);
  await shared.connect();
  const chat = { message: 'record the decision: we stay in Berlin', agent_id: 'ceo', background: true };
  await json(
    post(`${victim.url}/invocations?agent_session_id=berlin`, chat, {
      'x-agent-invocation-id': 'asks',
      'x-agent-user-id': 'ann',
    }),
  );
  const stream = await fetch(`${survivor.url}/invocations/asks`, {
    headers: { accept: 'text/event-stream', 'x-agent-user-id': 'ann' },
  });
  const events: SeenEvent[] = [];
  for await (const event of eventsOf(stream)) {
    events.push(event);
    // The run waits: nothing more comes until somebody decides, so this came while it was open.
    if (event.type !== 'run.waiting') continue;
    await victim.kill();
    const { items } = await json(fetch(`${survivor.url}/api/v1/approvals?status=open`));
    expect(items).toHaveLength(1);
    const [approval] = items as JsonObject[];
    const decided = post(`${survivor.url}/api/v1/approvals/${approval?.['id']}/approve`, { by: 'dana' });
    expect(await json(decided)).toMatchObject({ status: 'approved' });
  }
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
  expect(events.filter(({ type }) => type === 'approval.decided')).toHaveLength(1);
  expect(events.at(-1)).toMatchObject({ type: 'run.completed' });
  expect(await shared.column(`select content from aos.session_documents`)).toEqual(['we stay in Berlin']);
  await survivor.kill();
}, 60_000);
