import type { Generated } from 'kysely';
import type { JsonObject } from '../../core/json.ts';
import type { Migration } from '../migration.ts';
import type { Json, OptionalJson } from './column.ts';

export interface TaskTable {
  id: string;
  /** Order of submission. */
  seq: Generated<string>;
  tenant_id: string;
  user_id: string;
  /** What was submitted, as the caller gets it back. */
  submission: Json<JsonObject>;
  /** SHA-256 of the submission's canonical JSON, hex. */
  request_hash: string;
  task_type: string;
  /** 0 (critical) to 4 (background). */
  rank: number;
  status: string;
  status_message: string | null;
  /** '' when it names none; so is `target_system`. They are counted against the limits. */
  agent_id: string;
  target_system: string;
  call_id: string;
  /** Fabric context of the tenant at submission. */
  fabric: OptionalJson<JsonObject>;
  traceparent: string | null;
  created_at: Date;
  scheduled_at: Date | null;
  /** When it may be claimed while it is `pending`, and is pending again while it is `retrying`. */
  due_at: Date;
  assigned_at: Date | null;
  started_at: Date | null;
  completed_at: Date | null;
  max_retries: number;
  retry_count: Generated<number>;
  /** Number of the attempt under way or to come; its run is `<id>.<attempt>`. */
  attempt: Generated<number>;
  last_error: OptionalJson<JsonObject>;
  result: OptionalJson<JsonObject>;
  /** The worker that has it, or had it last. */
  worker_id: string | null;
  /** The pool whose worker has it now; also of a task that was cancelled while its code is still ending. */
  executor: string | null;
  /** How often it was claimed: what a worker writes counts only while its claim is the last. */
  claim: Generated<number>;
  /** The class it counted with when it was claimed; ageing makes it smaller than `rank`. */
  served_rank: number | null;
  /** What the run of the attempt waits for while no worker has it. */
  waiting_for: string | null;
  /** The run that an attempt is a child of. */
  parent_run_id: Generated<string | null>;
  /** Whether somebody has to agree before it begins. */
  held: Generated<boolean>;
}

/** When a tenant was last served in a class of priority: the smallest `turn` is the longest ago. */
export interface TaskTurnTable {
  tenant_id: string;
  rank: number;
  turn: string;
}

/** How many tasks may run at a time. `kind`: agent, tenant, target; the name '' stands for all that have no row. */
export interface TaskLimitTable {
  kind: string;
  name: string;
  max: number;
}

/** The settings of queue and pool; one row. */
export interface TaskSettingsTable {
  name: string;
  settings: Json<JsonObject>;
}

export const taskMigrations: readonly Migration[] = [
  {
    name: '004-tasks',
    sql: `
      create table aos.tasks (
        id text primary key,
        seq bigint generated always as identity,
        tenant_id text not null,
        user_id text not null,
        submission json not null,
        request_hash text not null,
        task_type text not null,
        rank smallint not null,
        status text not null,
        status_message text,
        agent_id text not null,
        target_system text not null,
        call_id text not null,
        traceparent text,
        created_at timestamptz not null,
        scheduled_at timestamptz,
        due_at timestamptz not null,
        assigned_at timestamptz,
        started_at timestamptz,
        completed_at timestamptz,
        max_retries integer not null,
        retry_count integer not null default 0,
        attempt integer not null default 1,
        last_error json,
        result json,
        worker_id text,
        executor text,
        claim integer not null default 0,
        served_rank smallint,
        waiting_for text
      );
      create index tasks_line on aos.tasks (tenant_id, agent_id, target_system, rank, due_at, seq) where status = 'pending';
      create index tasks_due on aos.tasks (due_at) where status in ('pending', 'retrying');
      create index tasks_claimed on aos.tasks (executor) where executor is not null;
      create index tasks_parked on aos.tasks (id) where waiting_for is not null;
      create index tasks_newest on aos.tasks (tenant_id, seq desc);
      create index tasks_ended on aos.tasks (tenant_id, completed_at) where completed_at is not null;

      create sequence aos.task_turn;
      create table aos.task_turns (
        tenant_id text not null,
        rank smallint not null,
        turn bigint not null,
        primary key (tenant_id, rank)
      );

      create table aos.task_limits (
        kind text not null,
        name text not null,
        max integer not null,
        primary key (kind, name)
      );

      create table aos.task_settings (name text primary key, settings json not null);

      -- How many tasks of that name may run at a time: its own limit, else that of all, else no limit.
      create function aos.task_limit(p_kind text, p_name text) returns integer language sql stable as $$
        select coalesce((select l.max from aos.task_limits l
                          where l.kind = p_kind and l.name in (p_name, '') order by l.name desc limit 1), 2147483647)
      $$;`,
  },
  { name: '034b-held-tasks', sql: 'alter table aos.tasks add column held boolean not null default false' },
];
