/**
 * Why a task is not done yet, as data and as one sentence. The line is that of the task's own tenant: what others have
 * in it is not told.
 */
import { sql } from 'kysely';
import { isJsonObject, type JsonObject, type JsonValue } from '../core/json.ts';
import type { StoreScope } from '../store/database.ts';
import { agedRank, priorityOfRank, rankOf } from './priority.ts';
import { agentOfTask, attemptRunId, type Task } from './task.ts';
import { type LimitKind, limitOf, type TaskSettings } from './task-settings.ts';
import { isEnded } from './task-state.ts';

/** A limit on how many tasks run at a time, and how far it is used. */
export type UsedLimit = { kind: LimitKind; name: string; running: number; max: number };

export type Waiting = {
  /**
   * `scheduled` its time has not come · `retry` the pause after a failed attempt · `limit` as many as may run of its
   * kind do · `line` it is not its turn yet · `worker` a worker has it · otherwise what its run waits for (`approval`,
   * `timer`, `run`, …)
   */
  reason: string;
  /** The same for people. */
  sentence: string;
  /** 1: the next of its tenant; null when it is not in line. */
  position: number | null;
  /** When it is due, or when its wait ends at the latest; ISO-8601 UTC. */
  until: string | null;
  limit: UsedLimit | null;
  approval_id: string | null;
  worker_id: string | null;
};

/** @param now ISO-8601 UTC */
export async function whyItWaits(
  db: StoreScope,
  settings: TaskSettings,
  task: Task,
  now: string,
): Promise<Waiting | undefined> {
  if (isEnded(task.status)) return undefined;
  if (task.waitingFor !== null) return waitOfRun(task, await lastWaits(db, task));
  if (task.status !== 'pending' || task.dueAt > now) return whileNotInLine(task, now);
  const [position, limits] = await Promise.all([positionOf(db, settings, task, now), usedLimits(db, settings, task)]);
  return inLine(task, { position, limit: limits.find(({ running, max }) => running >= max), now, settings });
}

const nothing = { position: null, until: null, limit: null, approval_id: null, worker_id: null };

function whileNotInLine(task: Task, now: string): Waiting {
  const { status, workerId, dueAt, attempt } = task;
  if (status === 'retrying') {
    return {
      ...nothing,
      reason: 'retry',
      until: dueAt,
      sentence: `It waits until ${dueAt} for attempt ${attempt}, because the last one failed${task.lastError === null ? '' : ` (${task.lastError.code})`}.`,
    };
  }
  if (status === 'pending') {
    return {
      ...nothing,
      reason: 'scheduled',
      until: dueAt,
      sentence: `It is scheduled for ${dueAt}; now it is ${now}.`,
    };
  }
  const since = task.startedAt ?? task.assignedAt;
  return {
    ...nothing,
    reason: 'worker',
    worker_id: workerId,
    sentence: `It does not wait: worker ${workerId} has it${since === null ? '' : ` since ${since}`}.`,
  };
}

/** The words for a task that is due and in line. */
export function inLine(
  task: Task,
  {
    position,
    limit,
    now,
    settings,
  }: { position: number; limit: UsedLimit | undefined; now: string; settings: TaskSettings },
): Waiting {
  if (limit !== undefined) {
    const { kind, name, running, max } = limit;
    return {
      ...nothing,
      reason: 'limit',
      position,
      limit,
      sentence: `It waits for the limit of ${kind} ${name}: ${running} of ${max} are running.`,
    };
  }
  const { priority } = task.submission;
  const waited = Date.parse(now) - Date.parse(task.dueAt);
  const counts = priorityOfRank(agedRank(rankOf(priority), waited, settings.aging_seconds));
  const aged = counts === priority ? '' : ` (its priority ${priority} counts as ${counts} by now)`;
  return {
    ...nothing,
    reason: 'line',
    position,
    sentence: `It waits for a free worker as number ${position} in line${aged}.`,
  };
}

/** A wait of a run as its log tells it. */
type RunWait = { name: string; reason: string; until: string | null; detail: JsonObject };

function waitOfRun({ waitingFor }: Task, waits: readonly RunWait[]): Waiting {
  const reason = waitingFor ?? 'input';
  const wait = waits.find((candidate) => candidate.reason === reason);
  const about = subjectOf(reason, wait);
  const until = wait?.until ?? null;
  const limitedTo = until === null ? '' : `, at the latest until ${until}`;
  return {
    ...nothing,
    reason,
    until,
    approval_id: reason === 'approval' ? about : null,
    sentence: `It ${waitText(reason, about)}${limitedTo}. No worker is held meanwhile.`,
  };
}

/** The approval or the run that it waits for. */
function subjectOf(reason: string, wait: RunWait | undefined): string | null {
  const named = wait?.detail[reason === 'run' ? 'run_id' : 'approval_id'];
  if (typeof named === 'string') return named;
  return /^approval\/(.+)$/.exec(wait?.name ?? '')?.[1] ?? null;
}

/**
 * What a run waits for, as the end of a sentence that begins with the task.
 * @param about id of the approval or the run, where there is one
 */
export function waitText(reason: string, about: string | null = null): string {
  switch (reason) {
    case 'approval':
      return about === null ? 'waits for an approval' : `waits for approval ${about}`;
    case 'timer':
      return 'waits for a time to come';
    case 'run':
      return about === null ? 'waits for another run to end' : `waits for run ${about} to end`;
    case 'limit':
      return 'reached a limit and waits for somebody to raise it';
    case 'budget':
      return 'waits because its budget is used up';
    case 'definition':
      return 'waits for a definition that this version does not have';
    case 'plane':
      return 'waits for a plane to come back';
    case 'unknown_outcome':
      return 'waits for somebody to say how an effect of unknown outcome ended';
    default:
      return 'waits for input';
  }
}

async function lastWaits(db: StoreScope, task: Task): Promise<readonly RunWait[]> {
  const row = await db
    .selectFrom('run_events')
    .select('data')
    .where('tenant_id', '=', task.caller.tenantId)
    .where('run_id', '=', attemptRunId(task))
    .where('type', '=', 'run.waiting')
    .orderBy('seq', 'desc')
    .limit(1)
    .executeTakeFirst();
  const waits = row?.data['waits'];
  return Array.isArray(waits) ? waits.flatMap(readWait) : [];
}

function readWait(wait: JsonValue): RunWait[] {
  if (!isJsonObject(wait)) return [];
  const { name, reason, until, detail } = wait;
  if (typeof name !== 'string' || typeof reason !== 'string') return [];
  return [
    { name, reason, until: typeof until === 'string' ? until : null, detail: isJsonObject(detail) ? detail : {} },
  ];
}

async function positionOf(db: StoreScope, settings: TaskSettings, task: Task, now: string): Promise<number> {
  const { aging_seconds: aging } = settings;
  const at = new Date(now);
  const own = agedRank(rankOf(task.submission.priority), at.getTime() - Date.parse(task.dueAt), aging);
  const { rows } = await sql<{ ahead: string }>`
    select count(*) as ahead from aos.tasks
     where tenant_id = ${task.caller.tenantId} and status = 'pending' and due_at <= ${at}
       and (greatest(0, rank - floor(extract(epoch from ${at}::timestamptz - due_at) / ${aging}::float8)), due_at, seq)
         < (${own}::numeric, ${new Date(task.dueAt)}::timestamptz, ${task.seq}::bigint)`.execute(db);
  return Number(rows[0]?.ahead ?? 0) + 1;
}

/** How far the limits that concern the task are used now. */
async function usedLimits(db: StoreScope, settings: TaskSettings, task: Task): Promise<readonly UsedLimit[]> {
  const { tenantId } = task.caller;
  const names: readonly [LimitKind, string | null | undefined][] = [
    ['agent', agentOfTask(task.submission)],
    ['target', task.submission.target_system],
    ['tenant', tenantId],
  ];
  const limited = names.flatMap(([kind, name]) => {
    const max = name ? limitOf(settings.limits[kind], name) : undefined;
    return name && max !== undefined ? [{ kind, name, max }] : [];
  });
  if (limited.length === 0) return [];
  const busy = await db
    .selectFrom('tasks')
    .select(['tenant_id', 'agent_id', 'target_system'])
    .where('executor', 'is not', null)
    .execute();
  return limited.map(({ kind, name, max }) => ({
    kind,
    name,
    max,
    running: busy.filter((other) => {
      if (kind === 'agent') return other.agent_id === name;
      return other.tenant_id === tenantId && (kind === 'tenant' || other.target_system === name);
    }).length,
  }));
}
