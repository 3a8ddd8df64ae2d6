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
      $$;

      -- Gives a task to each of the workers, as long as there are any that may run. The lock makes claims follow one
      -- another: each sees what the one before it took, so limits are exact however many processes claim. Each round is
      -- one statement:
      --   head       the first task in line of every (tenant, agent, target, class). The tasks of such a group share
      --              their limits and age alike, so only its first can be next; found by jumping through the index,
      --              whatever the length of the line.
      --   busy       the tasks that have a worker now
      --   candidate  heads that are due and under their limits, with the class that waiting has brought them to
      --   next       by class; in a class the tenant with the fewest running tasks of that class, of these the one
      --              served longest ago; of its tasks the one due first
      create function aos.claim_tasks(p_executor text, p_workers text[], p_now timestamptz, p_aging_seconds double precision)
      returns setof aos.tasks language plpgsql as $$
      declare
        v_worker text;
        v_task aos.tasks;
      begin
        perform pg_advisory_xact_lock(4710004);
        -- Should the machine lose power right now the tasks are simply in line again; the lock is held for less long.
        perform set_config('synchronous_commit', 'off', true);
        update aos.tasks set status = 'pending', status_message = null where status = 'retrying' and due_at <= p_now;
        foreach v_worker in array p_workers loop
          with recursive head as (
            (select t.tenant_id, t.agent_id, t.target_system, t.rank, t.due_at, t.seq, t.id
               from aos.tasks t where t.status = 'pending'
              order by t.tenant_id, t.agent_id, t.target_system, t.rank, t.due_at, t.seq limit 1)
            union all
            select n.* from head h cross join lateral (
              select t.tenant_id, t.agent_id, t.target_system, t.rank, t.due_at, t.seq, t.id
                from aos.tasks t
               where t.status = 'pending'
                 and (t.tenant_id, t.agent_id, t.target_system, t.rank) > (h.tenant_id, h.agent_id, h.target_system, h.rank)
               order by t.tenant_id, t.agent_id, t.target_system, t.rank, t.due_at, t.seq limit 1) n
          ),
          busy as materialized (
            select b.tenant_id, b.agent_id, b.target_system, b.served_rank from aos.tasks b where b.executor is not null
          ),
          candidate as materialized (
            select h.id, h.tenant_id, h.due_at, h.seq,
                   greatest(0, h.rank - floor(extract(epoch from p_now - h.due_at) / p_aging_seconds))::smallint as served_rank
              from head h
             where h.due_at <= p_now
               and (select count(*) from busy b where b.tenant_id = h.tenant_id) < aos.task_limit('tenant', h.tenant_id)
               and (h.agent_id = ''
                    or (select count(*) from busy b where b.agent_id = h.agent_id) < aos.task_limit('agent', h.agent_id))
               and (h.target_system = ''
                    or (select count(*) from busy b where b.tenant_id = h.tenant_id and b.target_system = h.target_system)
                       < aos.task_limit('target', h.target_system))
          ),
          next as (
            select t.id, c.served_rank
              from candidate c join aos.tasks t on t.id = c.id
             where t.status = 'pending'
             order by c.served_rank,
                      (select count(*) from busy b where b.tenant_id = c.tenant_id and b.served_rank = c.served_rank),
                      coalesce((select s.turn from aos.task_turns s
                                 where s.tenant_id = c.tenant_id and s.rank = c.served_rank), 0),
                      c.due_at, c.seq
             limit 1 for update of t skip locked
          )
          update aos.tasks t
             set status = 'assigned', status_message = null, waiting_for = null, executor = p_executor,
                 worker_id = v_worker, claim = t.claim + 1, served_rank = next.served_rank, assigned_at = p_now
            from next where t.id = next.id
          returning t.* into v_task;
          exit when not found;
          insert into aos.task_turns (tenant_id, rank, turn)
            values (v_task.tenant_id, v_task.served_rank, nextval('aos.task_turn'))
            on conflict (tenant_id, rank) do update set turn = excluded.turn;
          return next v_task;
        end loop;
      end $$;`,
  },
];
