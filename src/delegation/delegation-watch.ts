/**
 * What goes on without anybody asking: delegations end when their tasks do, when their time has passed, and when the run
 * or the delegation that handed them on has ended; executions that were asked for by mail are answered. All of it is
 * found in the tables, so whatever a process that died has left undone the next one does.
 */
import { sql } from 'kysely';
import { type Clock, isoTime } from '../core/clock.ts';
import { asError } from '../core/errors.ts';
import { newUuid } from '../core/ids.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';
import { createRounds } from '../core/rounds.ts';
import type { Database } from '../store/database.ts';
import type { Task } from '../tasks/task.ts';
import type { TaskQueue } from '../tasks/task-queue.ts';
import { isEnded } from '../tasks/task-state.ts';
import { loadTask } from '../tasks/task-store.ts';
import type { Log } from '../telemetry/log.ts';
import type { DelegationDesk } from './delegation-desk.ts';
import { cancelledEnding, type Ending, lateEnding } from './delegation-ending.ts';
import type { Compose } from './delegation-log.ts';
import { selectDelegations } from './delegation-store.ts';
import type { Mail } from './mail.ts';

/** How late an end may be noticed that another process made. */
const LOOK_MS = 5_000;
const PAGE = 100;

export interface DelegationWatch {
  start(): void;
  stop(): Promise<void>;
  /** There may be something to do at this time (epoch milliseconds); now when left out. */
  due(at?: number): void;
  /** One look; for tests. */
  look(): Promise<number | undefined>;
}

export interface DelegationWatchParts {
  readonly database: Pick<Database, 'db'>;
  readonly desk: DelegationDesk;
  readonly mail: Mail;
  readonly compose: Compose;
  readonly queue: Pick<TaskQueue, 'onEnd' | 'cancel'>;
  readonly clock: Clock;
  readonly log: Log;
}

export function createDelegationWatch(parts: DelegationWatchParts): DelegationWatch {
  const { desk, mail, compose, queue, clock, log } = parts;
  const { db } = parts.database;
  let unlisten: (() => void) | undefined;

  async function settleTasks(): Promise<number> {
    const done = await selectDelegations(
      db,
      sql`d.completed_at is null and d.task_id is not null and (t.id is null or t.completed_at is not null)`,
      sql`limit ${PAGE}`,
    );
    for (const delegation of done) {
      const { taskId, caller } = delegation;
      const task = taskId === null ? undefined : await loadTask(db, { tenantId: caller.tenantId, taskId });
      if (task === undefined || isEnded(task.status)) await desk.end(delegation, endingOf(task));
    }
    return done.length;
  }

  async function endOrphans(): Promise<number> {
    const orphans = await selectDelegations(
      db,
      sql`d.completed_at is null and d.kind <> 'async' and (
        exists (select from aos.runs r where r.tenant_id = d.tenant_id and r.id = d.parent_run_id and r.completed_at is not null)
        or exists (select from aos.delegations p
                    where p.tenant_id = d.tenant_id and p.id = d.parent_delegation_id and p.completed_at is not null))`,
      sql`limit ${PAGE}`,
    );
    for (const delegation of orphans) await desk.end(delegation, cancelledEnding('what handed it on has ended'));
    return orphans.length;
  }

  async function endLate(): Promise<number> {
    const now = new Date(clock.now());
    const late = await selectDelegations(
      db,
      sql`d.completed_at is null and (d.deadline_at <= ${now} or (d.status = 'pending' and d.accept_by <= ${now}))`,
      sql`limit ${PAGE}`,
    );
    for (const delegation of late) await desk.end(delegation, lateEnding(delegation));
    return late.length;
  }

  /** Tasks of delegations that are wanted no longer: whoever ended them died before it stopped the work. */
  async function stopForgotten(): Promise<void> {
    const left = await selectDelegations(
      db,
      sql`d.status in ('cancelled', 'timeout') and t.id is not null and t.completed_at is null`,
      sql`limit ${PAGE}`,
    );
    for (const { taskId, caller, failure } of left) {
      if (taskId !== null) await queue.cancel(taskId, failure?.message, caller).catch(() => undefined);
    }
  }

  /** Answers messages whose tasks have ended. */
  async function answerRequests(): Promise<number> {
    const { rows: open } = await sql<{ tenant_id: string; id: string; task_id: string }>`
      select m.tenant_id, m.id, m.task_id from aos.agent_messages m join aos.tasks t
        on t.tenant_id = m.tenant_id and t.id = m.task_id
       where not m.answered and t.completed_at is not null limit ${PAGE}`.execute(db);
    for (const { tenant_id: tenantId, id, task_id: taskId } of open) {
      const [request, task] = [await mail.find(tenantId, id), await loadTask(db, { tenantId, taskId })];
      if (request === undefined || task === undefined) continue;
      const words = await compose({ kind: 'executed', request, task });
      const reply = await db.transaction().execute(async (trx) => {
        const { numUpdatedRows: mine } = await trx
          .updateTable('agent_messages')
          .set({ answered: true })
          .where('tenant_id', '=', tenantId)
          .where('id', '=', id)
          .where('answered', '=', false)
          .executeTakeFirst();
        if (mine === 0n) return undefined;
        const { caller, from, to, correlationId, fabric, metadata } = request;
        const place = { id: newUuid(), caller, from: to, to: from, correlationId, inReplyTo: id, fabric, metadata };
        const more = { scan: null, expiresAt: null, delegationId: null, contextId: null, taskId: null };
        return mail.post(trx, { ...place, ...more, ...words });
      });
      if (reply !== undefined) mail.announce(reply);
    }
    return open.length;
  }

  async function look(): Promise<number | undefined> {
    const counts = [await settleTasks(), await endOrphans(), await endLate(), await answerRequests()];
    await stopForgotten();
    if (counts.some((count) => count === PAGE)) return clock.now();
    const { rows } = await sql<{ at: Date | null }>`
      select min(case when status = 'pending' then least(accept_by, deadline_at) else deadline_at end) as at
        from aos.delegations where completed_at is null`.execute(db);
    return rows[0]?.at?.getTime();
  }

  const rounds = createRounds({
    clock,
    longestMs: LOOK_MS,
    work: look,
    failed: (thrown) => log.warn('delegations could not be looked after', { reason: asError(thrown).message }),
  });

  return {
    look,
    due: rounds.due,
    start() {
      unlisten = queue.onEnd(({ submission: { metadata } }) => {
        if (metadata['delegation_id'] !== undefined || metadata['message_id'] !== undefined) rounds.due();
      });
      rounds.start();
    },
    async stop() {
      unlisten?.();
      await rounds.stop();
    },
  };
}

/** What the end of a task is for the delegation it was for. */
export function endingOf(task: Task | undefined): Ending {
  const nothing = { result: null, outputContext: null, tokens: null, costUsd: null, steps: null };
  if (task === undefined) {
    return { ...nothing, status: 'failed', failure: { code: 'TASK_LOST', message: 'its task is there no longer' } };
  }
  const { status, result, lastError, statusMessage, completedAt } = task;
  const at = completedAt ?? isoTime(Date.parse(task.createdAt));
  if (status === 'completed') {
    return { ...nothing, ...effortIn(result ?? {}), status, at, failure: null };
  }
  if (status === 'cancelled') return { ...cancelledEnding(statusMessage ?? 'its task was cancelled'), at };
  const message = lastError?.message ?? statusMessage ?? 'its task failed';
  if (lastError?.code === 'timed_out')
    return { ...nothing, at, status: 'timeout', failure: { code: 'TIMEOUT', message } };
  return { ...nothing, at, status: 'failed', failure: { code: (lastError?.code ?? 'failed').toUpperCase(), message } };
}

/** What the result of an agent's run says of what it took. */
function effortIn(result: JsonObject) {
  const number = (value: JsonValue | undefined) => (typeof value === 'number' ? value : null);
  const [input, output] = [number(result['tokens_input']), number(result['tokens_output'])];
  return {
    result: result['output'] ?? null,
    tokens: input === null && output === null ? null : (input ?? 0) + (output ?? 0),
    costUsd: number(result['cost_usd']),
    steps: number(result['steps_executed']),
  };
}
