/**
 * What is left when a scenario is over, read from the database: what must be the same however often processes died on the
 * way, and what must hold of every log.
 */
import type { JsonObject, JsonValue } from '../../src/core/json.ts';
import { verifyEvents } from '../../src/runs/event-chain.ts';
import { eventColumns, toEvent } from '../../src/runs/event-log.ts';
import type { Database } from '../../src/store/database.ts';

/** Whether there is work, and all of it has ended. */
export async function isOver({ pool }: Database): Promise<boolean> {
  const { rows } = await pool.query<{ runs: number; open: number }>(`
    select (select count(*) from aos.runs)::int as runs,
           ((select count(*) from aos.runs where completed_at is null)
          + (select count(*) from aos.tasks where completed_at is null)
          + (select count(*) from aos.job_runs where status in ('queued', 'running'))
          + (select count(*) from aos.run_callbacks)
          + (select count(*) from aos.delegations where completed_at is null)
          + (select count(*) from aos.outbox where delivered_at is null and dead_at is null))::int as open`);
  const [row] = rows;
  return row !== undefined && row.runs > 0 && row.open === 0;
}

/** What must be the same in every life of a scenario: no times, no random ids. */
export async function readWorld({ db }: Database): Promise<JsonObject> {
  const [runs, messages, documents, tasks, jobRuns, approvals, outbox, delegations, letters] = await Promise.all([
    db.selectFrom('runs').select(['id', 'kind', 'status', 'result', 'error']).orderBy('number').execute(),
    db.selectFrom('session_messages').select(['session_id', 'seq', 'role', 'content']).orderBy('seq').execute(),
    db.selectFrom('session_documents').select(['session_id', 'title', 'content']).execute(),
    db.selectFrom('tasks').select(['id', 'status', 'attempt', 'retry_count', 'result']).execute(),
    db.selectFrom('job_runs').select(['run_number', 'status', 'cause']).execute(),
    db.selectFrom('approvals').select(['run_id', 'status']).execute(),
    db.selectFrom('outbox').select(['subject', 'body', 'delivered_at', 'dead_at']).execute(),
    db
      .selectFrom('delegations')
      .select(['from_agent', 'to_agent', 'status', 'result', 'error_code', 'cost_usd'])
      .execute(),
    db
      .selectFrom('agent_messages')
      .select(['to_agent', 'seq', 'from_agent', 'type', 'payload'])
      .orderBy('to_agent')
      .orderBy('seq')
      .execute(),
  ]);
  const world = {
    runs,
    messages,
    documents,
    tasks,
    job_runs: jobRuns,
    approvals,
    delegations,
    letters,
    outbox: outbox.map(({ subject, body, delivered_at, dead_at }) => ({
      subject,
      body: JSON.parse(body) as JsonValue,
      delivered: delivered_at !== null,
      given_up: dead_at !== null,
    })),
  };
  return timeless(JSON.parse(JSON.stringify(world)) as JsonValue) as JsonObject;
}

const TIMES = /^at$|_at$|^duration|_ms$|^time|^invocation_id$/;
const RANDOM_ID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b[0-9a-f]{8,64}\b/g;
const INSTANT = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g;

function timeless(value: JsonValue): JsonValue {
  if (typeof value === 'string') return timelessText(value);
  if (Array.isArray(value)) return value.map(timeless);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).filter(([name]) => !TIMES.test(name));
  return Object.fromEntries(members.map(([name, member]) => [name, timeless(member)]));
}

/** A text may be JSON: what a node gave, as the summary of its graph. */
function timelessText(text: string): string {
  if (text.startsWith('{')) {
    try {
      return JSON.stringify(timeless(JSON.parse(text) as JsonValue));
    } catch {
      // A text like any other.
    }
  }
  return text.replace(RANDOM_ID, '<id>').replace(INSTANT, '<time>');
}

/** Where the first difference is, and what is there in the one and in the other; undefined when they are the same. */
export function firstDifference(
  one: JsonValue | undefined,
  other: JsonValue | undefined,
  path = '',
): string | undefined {
  const isTree = (value: JsonValue | undefined) => typeof value === 'object' && value !== null;
  if (!isTree(one) || !isTree(other)) {
    return one === other ? undefined : `${path}: ${JSON.stringify(one)} in place of ${JSON.stringify(other)}`;
  }
  const [mine, theirs] = [Object(one), Object(other)] as Record<string, JsonValue | undefined>[];
  for (const name of new Set([...Object.keys(mine ?? {}), ...Object.keys(theirs ?? {})])) {
    const found = firstDifference(mine?.[name], theirs?.[name], `${path}/${name}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

export interface LogFaults {
  /** Events that are there twice. */
  readonly duplicates: number;
  /** Runs that have not ended, or whose log is not what was written. */
  readonly broken: readonly string[];
}

export async function inspectLogs({ db }: Database): Promise<LogFaults> {
  const runs = await db
    .selectFrom('runs')
    .select(['id', 'status', 'last_event', 'last_hash', 'completed_at'])
    .execute();
  let duplicates = 0;
  const broken: string[] = [];
  for (const run of runs) {
    const rows = await db
      .selectFrom('run_events')
      .select(eventColumns)
      .where('run_id', '=', run.id)
      .orderBy('seq')
      .execute();
    const events = rows.map(toEvent);
    duplicates += events.length - new Set(events.map(({ key }) => key)).size;
    // What happens once in the life of a turn, a node or a run is told once, under whatever key.
    const once = events.flatMap(({ type, data }) =>
      /^(?:turn\.(?:started|completed)|node\.(?:started|completed)|tool\.(?:called|completed)|approval\.requested|run\.(?:queued|started|completed))$/.test(
        type,
      )
        ? [`${type} ${subjectOf(data as JsonObject)}`]
        : [],
    );
    duplicates += once.length - new Set(once).size;
    const fault = verifyEvents(events, { lastEvent: run.last_event, lastHash: run.last_hash });
    if (fault !== undefined) broken.push(`${run.id}: event ${fault.seq} is ${fault.problem}`);
    if (run.completed_at === null) broken.push(`${run.id}: it has not ended`);
  }
  return { duplicates, broken };
}

function subjectOf({ turn, step, node, visit, approval_id: approval }: JsonObject): string {
  return [turn, step, node, visit, approval].filter((part) => part !== undefined).join(' ');
}
