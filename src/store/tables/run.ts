import type { Generated } from 'kysely';
import type { JsonObject, JsonValue } from '../../core/json.ts';
import type { Migration } from '../migration.ts';
import type { Json, OptionalJson } from './column.ts';

export interface RunTable {
  /** The tenant's own: another tenant may have a run of the same id. */
  id: string;
  /** Grows in the order of admission; a bigint as text. */
  number: Generated<string>;
  tenant_id: Generated<string>;
  kind: string;
  session_id: string;
  user_id: string;
  request: Json<JsonObject>;
  request_hash: string;
  status: string;
  waiting_for: string | null;
  result: OptionalJson<JsonObject>;
  error: OptionalJson<JsonObject>;
  cancel_reason: string | null;
  traceparent: string | null;
  call_id: string;
  simulated: boolean;
  /** Whether nothing of it reaches anything outside. */
  simulation: Generated<boolean>;
  /** Whether somebody has to agree before it begins. */
  held: Generated<boolean>;
  created_at: Date;
  started_at: Date | null;
  completed_at: Date | null;
  deadline_at: Date | null;
  last_event: Generated<number>;
  /** Id of the engine process that last took it up. */
  executor: string | null;
  /** How often a process has taken it up since it last waited or made a checkpoint. */
  executions: Generated<number>;
  /** Grows with every take-up: what an execution writes with an older one is refused. */
  epoch: Generated<number>;
  parent_id: string | null;
  root_id: Generated<string>;
  depth: Generated<number>;
  definition: string | null;
  fork_of: OptionalJson<{ runId: string; step: string }>;
  actor: Generated<string>;
  priority: Generated<number>;
  last_hash: Generated<string>;
  last_step: Generated<number>;
  wake_at: Date | null;
  /** Its waits while it is waiting: name, signal, until. */
  waits: OptionalJson<JsonValue>;
  /** Names of the signals it is waiting for. */
  waiting_on: string[] | null;
  checkpoint: OptionalJson<JsonObject>;
}

export interface RunEventTable {
  run_id: string;
  seq: number;
  key: string;
  type: string;
  at: Date;
  data: Json<JsonObject>;
  actor: Generated<string>;
  trace_id: string | null;
  hash: Generated<string>;
  prev_hash: Generated<string>;
  tenant_id: string;
  /** The transaction that wrote it, and its number among all that is written: its position in the feed. */
  xid: Generated<string>;
  pos: Generated<string>;
}

/** A step, or a wait that is over, with its outcome: `{value}` or `{error}`. */
export interface RunStepTable {
  run_id: string;
  name: string;
  ordinal: number;
  outcome: Json<JsonValue>;
  effect: string;
  started_at: Date;
  completed_at: Date;
  epoch: number;
  tenant_id: string;
}

export interface RunSignalTable {
  run_id: string;
  id: string;
  position: Generated<string>;
  name: string;
  payload: Json<JsonObject>;
  actor: string;
  at: Date;
  /** The step or wait that took it. */
  taken_by: string | null;
  tenant_id: string;
}

/** What was too large for its event. */
export interface RunPayloadTable {
  run_id: string;
  /** SHA-256 of the JSON text, hex. */
  digest: string;
  body: Json<JsonValue>;
  tenant_id: string;
}

export interface FeedTable {
  xid: Generated<string>;
  pos: Generated<string>;
  tenant_id: string;
  user_id: string;
  type: string;
  subject: string;
  at: Date;
  data: Json<JsonObject>;
}

export const runMigrations: readonly Migration[] = [
  {
    name: '001-runs',
    sql: `
      create table aos.runs (
        id text primary key,
        kind text not null,
        session_id text not null,
        user_id text not null,
        request json not null,
        request_hash text not null,
        status text not null,
        waiting_for text,
        result json,
        error json,
        cancel_reason text,
        traceparent text,
        call_id text not null,
        simulated boolean not null,
        created_at timestamptz not null,
        started_at timestamptz,
        completed_at timestamptz,
        deadline_at timestamptz,
        last_event integer not null default 0,
        executor text,
        executions integer not null default 0
      );
      create index runs_unfinished on aos.runs (created_at) where completed_at is null;
      create index runs_session on aos.runs (user_id, session_id, created_at);

      create table aos.run_events (
        run_id text not null references aos.runs on delete cascade,
        seq integer not null,
        key text not null,
        type text not null,
        at timestamptz not null,
        data json not null,
        primary key (run_id, seq),
        unique (run_id, key)
      );

      -- Appends one event unless its key is in the log already or the log has ended. The run's row lock makes numbers
      -- gapless; each statement of the function sees what was committed before the lock was won.
      -- Returns (number, true) when appended, (number, false) when the key was there, (null, false) after the end;
      -- no row when there is no such run.
      create function aos.append_event(p_run text, p_key text, p_type text, p_at timestamptz, p_data json)
      returns table (seq integer, appended boolean) language plpgsql as $$
      declare
        v_last integer;
        v_ended boolean;
        v_seq integer;
      begin
        select r.last_event, r.completed_at is not null into v_last, v_ended
          from aos.runs r where r.id = p_run for no key update;
        if not found then return; end if;
        select e.seq into v_seq from aos.run_events e where e.run_id = p_run and e.key = p_key;
        if found then return query select v_seq, false; return; end if;
        if v_ended then return query select null::integer, false; return; end if;
        insert into aos.run_events (run_id, seq, key, type, at, data)
          values (p_run, v_last + 1, p_key, p_type, p_at, p_data);
        update aos.runs set last_event = v_last + 1 where id = p_run;
        return query select v_last + 1, true;
      end $$;`,
  },
  {
    name: '003-engine',
    sql: `
      drop schema if exists aos_engine cascade;
      drop function aos.append_event;
      drop index aos.runs_unfinished;
      drop index aos.runs_session;

      create sequence aos.run_number;
      alter table aos.runs
        add column number bigint not null default nextval('aos.run_number'),
        add column tenant_id text not null default 'default',
        add column parent_id text,
        add column root_id text not null default '',
        add column depth integer not null default 0,
        add column definition text,
        add column fork_of json,
        add column actor text not null default 'system',
        add column priority integer not null default 3,
        add column epoch integer not null default 0,
        add column last_hash text not null default repeat('0', 64),
        add column last_step integer not null default 0,
        add column wake_at timestamptz,
        add column waits json,
        add column waiting_on text[],
        add column checkpoint json;
      update aos.runs set root_id = id, executor = null;
      create index runs_queued on aos.runs (priority, number) where status = 'queued';
      create index runs_executing on aos.runs (executor) where status = 'running';
      create index runs_waking on aos.runs (wake_at) where status = 'waiting';
      create index runs_session on aos.runs (tenant_id, user_id, session_id, number);
      create index runs_conversing on aos.runs (tenant_id, user_id, session_id, number)
        where kind = 'chat' and completed_at is null;
      create index runs_listed on aos.runs (tenant_id, number);
      create index runs_children on aos.runs (parent_id) where parent_id is not null;

      create sequence aos.feed_pos;
      alter table aos.run_events
        alter column key type text collate "C",
        add column actor text not null default 'system',
        add column trace_id text,
        add column hash text not null default '',
        add column prev_hash text not null default '',
        add column tenant_id text not null default 'default',
        add column xid xid8 not null default pg_current_xact_id(),
        add column pos bigint not null default nextval('aos.feed_pos');
      create index run_events_feed on aos.run_events (tenant_id, xid, pos) where type <> 'turn.delta';

      create table aos.run_steps (
        run_id text not null references aos.runs on delete cascade,
        name text not null,
        ordinal integer not null,
        outcome json not null,
        effect text not null,
        started_at timestamptz not null,
        completed_at timestamptz not null,
        epoch integer not null,
        primary key (run_id, name)
      );

      create table aos.run_signals (
        run_id text not null references aos.runs on delete cascade,
        id text not null,
        position bigint generated always as identity,
        name text not null,
        payload json not null,
        actor text not null,
        at timestamptz not null,
        taken_by text,
        primary key (run_id, id)
      );

      create table aos.run_payloads (
        run_id text not null references aos.runs on delete cascade,
        digest text not null,
        body json not null,
        primary key (run_id, digest)
      );

      create table aos.feed (
        xid xid8 not null default pg_current_xact_id(),
        pos bigint not null default nextval('aos.feed_pos'),
        tenant_id text not null,
        user_id text not null,
        type text not null,
        subject text not null,
        at timestamptz not null,
        data json not null,
        primary key (tenant_id, xid, pos)
      );`,
  },
  { name: '034-held-runs', sql: 'alter table aos.runs add column held boolean not null default false' },
];
