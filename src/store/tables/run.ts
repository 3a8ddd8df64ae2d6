import type { Generated } from 'kysely';
import type { JsonObject } from '../../core/json.ts';
import type { Migration } from '../migration.ts';
import type { Json, OptionalJson } from './column.ts';

export interface RunTable {
  id: string;
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
  created_at: Date;
  started_at: Date | null;
  completed_at: Date | null;
  deadline_at: Date | null;
  last_event: Generated<number>;
  /** Id of the engine process that last took it up. */
  executor: string | null;
  /** How often a process has taken it up. */
  executions: Generated<number>;
}

export interface RunEventTable {
  run_id: string;
  seq: number;
  key: string;
  type: string;
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
];
