/** How a task comes into the line: once for an id, as long as there is room. */
import { sql } from 'kysely';
import type { Clock } from '../core/clock.ts';
import { AosError } from '../core/errors.ts';
import { newUuid } from '../core/ids.ts';
import type { JsonObject } from '../core/json.ts';
import { admit } from '../governance/admission.ts';
import { keepDecision } from '../governance/decision-store.ts';
import type { Governor } from '../governance/governor.ts';
import type { Feed } from '../runs/feed.ts';
import { type OnQuota, takeTaskRoom } from '../runs/quota.ts';
import type { Caller } from '../runs/run.ts';
import type { Database, StoreScope } from '../store/database.ts';
import { rankOf } from './priority.ts';
import { agentOfTask, hashSubmission, type NewTask, submissionOf, type Task, type TaskSubmission } from './task.ts';
import { entranceOfTask } from './task-entrance.ts';
import type { TaskSettingsStore } from './task-settings.ts';
import { loadTask, rowOfTask, TASK_CHANNEL, tellFact, toTask } from './task-store.ts';

export interface SubmitOptions {
  /** The caller's own id: the same id and the same submission give the task that exists. A new one by default. */
  readonly id?: string | undefined;
  readonly callId?: string | undefined;
  /** The W3C trace it belongs to. */
  readonly traceparent?: string | undefined;
  /** A run whose child each attempt is: cancelling it cancels them. Whoever names it has seen that the caller may. */
  readonly parentRunId?: string | undefined;
  /** A transaction that the submission is part of; workers find the task when it is committed. */
  readonly within?: StoreScope | undefined;
}

/** How long a count of the waiting tasks is good enough for the bound on their number. */
const COUNT_AGE_MS = 1_000;

export interface TaskAdmissionParts {
  readonly database: Pick<Database, 'db' | 'tenant' | 'notifications'>;
  readonly feed: Pick<Feed, 'write'>;
  readonly settings: TaskSettingsStore;
  readonly clock: Clock;
  /** The fabric context of a tenant, kept with what it submits; left out where there is no fabric. */
  readonly fabric?: ((tenantId: string) => Promise<JsonObject>) | undefined;
  /** Whether the tenant has quotas that a submission may exceed; looked up for each when left out. */
  readonly hasQuotas?: ((tenantId: string) => boolean) | undefined;
  readonly onQuota?: OnQuota | undefined;
  /** Judges what is submitted. */
  readonly governor: Governor;
  /** Whether all tasks are simulated, whatever they say. */
  readonly simulation?: boolean | undefined;
}

/**
 * @throws AosError unprocessable (INVALID_TASK), overloaded (QUEUE_FULL), conflict (the id belongs to another
 * submission), rate_limited (a quota), or what governance refuses it with
 */
export type TaskAdmission = (task: NewTask, caller: Caller, options?: SubmitOptions) => Promise<Task>;

export function createTaskAdmission(parts: TaskAdmissionParts): TaskAdmission {
  const { database, feed, settings, clock, fabric, governor, hasQuotas = () => true, simulation } = parts;
  const { db, tenant, notifications } = database;
  let counted = { at: Number.NEGATIVE_INFINITY, waiting: 0 };

  /** The bound protects the database, so a count that is a second old, plus what came since, will do. */
  async function checkRoom(): Promise<void> {
    const { max_pending: max } = settings.current();
    if (clock.monotonic() - counted.at > COUNT_AGE_MS) {
      const at = clock.monotonic();
      const { waiting } = await db
        .selectFrom('tasks')
        .select(({ fn }) => fn.countAll<string>().as('waiting'))
        .where('status', '=', 'pending')
        .executeTakeFirstOrThrow();
      counted = { at, waiting: Number(waiting) };
    }
    if (counted.waiting >= max) {
      throw new AosError(
        'overloaded',
        `The queue is full: ${counted.waiting} tasks wait (at most ${max} may). Try again later.`,
        {
          reason: 'QUEUE_FULL',
          facts: { pending: counted.waiting, max_pending: max },
        },
      );
    }
    counted.waiting += 1;
  }

  /** What is taken of a submission, and what is to be kept of the verdict. */
  async function permit(id: string, asked: TaskSubmission, caller: Caller) {
    const isThere = async () => (await loadTask(db, { tenantId: caller.tenantId, taskId: id })) !== undefined;
    const { args, decision, held } = await admit(
      governor,
      { caller, becomes: null, isThere, canWait: true },
      entranceOfTask(id, asked),
    );
    return { submission: args === asked ? asked : submissionOf(args as NewTask), decision, held };
  }

  async function submit(given: NewTask, caller: Caller, options: SubmitOptions = {}): Promise<Task> {
    const asked = submissionOf(simulation === true ? { ...given, simulation } : given);
    const id = options.id ?? newUuid();
    const { submission, decision, held } = await permit(id, asked, caller);
    const now = clock.now();
    const scheduledAt = submission.scheduled_at === null ? null : new Date(submission.scheduled_at);
    const requestHash = hashSubmission(asked);
    const context = await fabric?.(caller.tenantId);
    const enter = async (trx: StoreScope): Promise<Task> => {
      if (hasQuotas(caller.tenantId)) await takeTaskRoom(trx, caller, id, parts);
      const created = await trx
        .insertInto('tasks')
        .values({
          id,
          tenant_id: caller.tenantId,
          user_id: caller.userId,
          submission: JSON.stringify(submission),
          request_hash: requestHash,
          task_type: submission.task_type,
          rank: rankOf(submission.priority),
          status: 'pending',
          agent_id: agentOfTask(submission) ?? '',
          target_system: submission.target_system ?? '',
          call_id: options.callId ?? '',
          fabric: context === undefined ? null : JSON.stringify(context),
          traceparent: options.traceparent ?? null,
          parent_run_id: options.parentRunId ?? null,
          held,
          created_at: new Date(now),
          scheduled_at: scheduledAt,
          // A time that has passed brings no advantage in line.
          due_at: new Date(Math.max(now, scheduledAt?.getTime() ?? now)),
          max_retries: submission.max_retries,
        })
        .onConflict((conflict) => conflict.columns(['tenant_id', 'id']).doNothing())
        .returningAll()
        .executeTakeFirst();
      if (created !== undefined) {
        const task = toTask(created);
        await tellFact(feed, trx, 'task.submitted', task);
        if (decision !== undefined) await keepDecision(trx, { caller, runId: null, at: now }, decision);
        return task;
      }
      const existing = await trx
        .selectFrom('tasks')
        .selectAll()
        .where((eb) => eb.and(rowOfTask({ tenantId: caller.tenantId, taskId: id })))
        .executeTakeFirst();
      const isSame = existing?.user_id === caller.userId && existing.request_hash === requestHash;
      if (existing !== undefined && isSame) return toTask(existing);
      throw new AosError(
        'conflict',
        `The id "${id}" already belongs to another task: repeat that submission exactly to get its task, or use a new id.`,
      );
    };
    await checkRoom();
    if (options.within !== undefined) {
      const task = await enter(options.within);
      // Part of the transaction: heard when it is committed, and not before.
      await sql`select pg_notify(${TASK_CHANNEL}, 'work')`.execute(options.within);
      return task;
    }
    const task = await tenant(caller.tenantId).transaction().execute(enter);
    if (task.status === 'pending') notifications.announce(TASK_CHANNEL, 'work', 'work');
    return task;
  }

  return submit;
}
