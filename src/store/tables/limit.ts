import type { Migration } from '../migration.ts';

/** Token buckets that all processes draw from; see src/governance/limits/. Rows that say nothing any more are deleted. */
export interface RateBucketTable {
  tenant_id: string;
  /** Who asks for what. */
  key: string;
  /** When it would be full, epoch milliseconds. */
  full_at: number;
  /** When the last refusal was told, epoch milliseconds; null when none was. */
  told_at: number | null;
}

export const limitMigrations: readonly Migration[] = [
  {
    name: '022-gate',
    sql: `
      -- As before, for a run that begins with several events: its verdict is told with it.
      create or replace function aos.admit_run(
        p_id text, p_kind text, p_session text, p_tenant text, p_user text, p_request json, p_request_hash text,
        p_traceparent text, p_call text, p_simulated boolean, p_now timestamptz, p_deadline timestamptz, p_parent text,
        p_definition text, p_fork json, p_fork_run text, p_keep text[], p_priority integer, p_actor text,
        p_exclusive boolean, p_events json
      ) returns table (outcome text, run aos.runs) language plpgsql as $$
      declare
        v_run aos.runs;
        v_root text := p_id;
        v_depth integer := 0;
        v_written record;
      begin
        if p_exclusive then
          perform aos.lock_session(p_tenant, p_user, p_session);
          select r.* into v_run from aos.runs r where r.id = p_id;
          if not found and exists (
            select from aos.runs r where r.tenant_id = p_tenant and r.user_id = p_user and r.session_id = p_session
              and r.kind = 'chat' and r.completed_at is null
          ) then
            return query select 'busy', null::aos.runs;
            return;
          end if;
        end if;
        if p_parent is not null then
          select coalesce(max(r.root_id), p_id), coalesce(max(r.depth) + 1, 0) into v_root, v_depth
            from aos.runs r where r.id = p_parent;
        end if;
        -- Number and hash of its first event are known before it is written.
        insert into aos.runs (id, kind, session_id, tenant_id, user_id, request, request_hash, status, traceparent,
            call_id, simulated, created_at, deadline_at, parent_id, root_id, depth, definition, fork_of, priority, actor,
            last_event, last_hash, last_step)
          values (p_id, p_kind, p_session, p_tenant, p_user, p_request, p_request_hash, 'queued', p_traceparent, p_call,
            p_simulated, p_now, p_deadline, p_parent, v_root, v_depth, p_definition, p_fork, p_priority, p_actor, 1,
            encode(sha256(convert_to(repeat('0', 64) || ':1:' || (p_events->0->>'digest'), 'UTF8')), 'hex'),
            coalesce(cardinality(p_keep), 0))
          on conflict (id) do nothing
          returning * into v_run;
        if not found then
          return query select 'existing', r from aos.runs r where r.id = p_id;
          return;
        end if;
        if p_keep is not null then
          insert into aos.run_steps (run_id, name, ordinal, outcome, effect, started_at, completed_at, epoch)
            select p_id, s.name, row_number() over (order by s.ordinal), s.outcome, s.effect, s.started_at, s.completed_at,
              0
              from aos.run_steps s where s.run_id = p_fork_run and s.name = any (p_keep);
        end if;
        select * into v_written from aos.write_events(p_id, p_tenant, true, p_now, p_events, 0, repeat('0', 64));
        if v_written.p_last > 1 then
          update aos.runs set last_event = v_written.p_last, last_hash = v_written.p_hash where id = p_id
            returning * into v_run;
        end if;
        return query select 'created', v_run;
      end $$;

      -- Verdicts that are events of no run are told in the audit log as those of runs are.
      create function aos.note_decision() returns trigger language plpgsql as $$
      begin
        insert into aos.audit_facts (tenant_id, type, subject, at, actor, user_id, data)
          values (new.tenant_id, 'governance.decided', coalesce(new.run_id, ''), new.at,
            'user:' || coalesce(new.data->>'user_id', ''), coalesce(new.data->>'user_id', ''), new.data);
        return null;
      end $$;
      create trigger audited after insert on aos.governance_decisions for each row
        execute function aos.note_decision();`,
  },
  {
    name: '022b-limits',
    sql: `
      create table aos.rate_buckets (
        tenant_id text not null,
        key text not null,
        full_at double precision not null,
        told_at double precision,
        primary key (tenant_id, key)
      );
      select aos.protect_tenant_rows('rate_buckets', '');

      -- Gives up to p_want tokens of a bucket to a process, after taking what it has spent beforehand (p_spent; what
      -- comes back is negative). Should the machine lose power the last tokens are given once more.
      create function aos.lease_tokens(
        p_tenant text, p_key text, p_now double precision, p_interval double precision, p_burst integer,
        p_spent integer, p_want integer
      ) returns table (granted integer, full_at double precision) language plpgsql as $$
      declare
        v_full double precision;
        v_granted integer;
      begin
        perform set_config('synchronous_commit', 'off', true);
        insert into aos.rate_buckets as b (tenant_id, key, full_at) values (p_tenant, p_key, p_now)
          on conflict do nothing;
        select b.full_at into v_full from aos.rate_buckets b where b.tenant_id = p_tenant and b.key = p_key for update;
        if p_spent >= 0 then v_full := greatest(v_full, p_now); end if;
        v_full := greatest(v_full + p_spent * p_interval, p_now);
        v_granted := greatest(0, least(p_want, floor(p_burst - (v_full - p_now) / p_interval + 1e-6)::integer));
        v_full := v_full + v_granted * p_interval;
        update aos.rate_buckets b set full_at = v_full where b.tenant_id = p_tenant and b.key = p_key;
        return query select v_granted, v_full;
      end $$;

      create table aos.quota_days (
        tenant_id text not null,
        -- ISO-8601, of UTC.
        day text not null,
        used integer not null,
        primary key (tenant_id, day)
      );
      select aos.protect_tenant_rows('quota_days', '');
      create index runs_open on aos.runs (tenant_id) where completed_at is null and parent_id is null and kind <> 'task';

      create function aos.quota_of(p_tenant text, p_name text) returns integer language sql stable security definer
        set search_path = aos, pg_temp as $$
        select (d.content->'quotas'->>p_name)::integer from aos.governance_documents d
         where d.tenant_id = p_tenant and d.kind = 'limits' order by d.number desc limit 1
      $$;

      -- Whether a quota of the tenant forbids one more run or task, and which; null when it may come in, and then it is
      -- counted. Whoever asks holds the tenant's lock until its transaction ends, so that what one counts the next sees.
      create function aos.quota_refusal(p_tenant text, p_what text, p_id text, p_now timestamptz)
      returns json language plpgsql security definer set search_path = aos, pg_temp as $$
      declare
        v_quotas json;
        v_name text := case p_what when 'run' then 'concurrent_runs' else 'queued_tasks' end;
        v_limit integer;
        v_daily integer;
        v_used bigint;
        v_midnight timestamptz := date_trunc('day', p_now at time zone 'UTC') at time zone 'UTC';
        v_day text := to_char(p_now at time zone 'UTC', 'YYYY-MM-DD');
      begin
        select d.content->'quotas' into v_quotas from aos.governance_documents d
         where d.tenant_id = p_tenant and d.kind = 'limits' order by d.number desc limit 1;
        v_limit := v_quotas->>v_name;
        v_daily := v_quotas->>'runs_per_day';
        if v_limit is null and v_daily is null then return null; end if;
        perform pg_advisory_xact_lock(hashtextextended(json_build_array('quota', p_tenant)::text, 0));
        -- Sent again: it came in before.
        if p_what = 'run' then perform from aos.runs r where r.id = p_id;
        else perform from aos.tasks t where t.id = p_id;
        end if;
        if found then return null; end if;
        if v_limit is not null then
          if p_what = 'run' then
            select count(*) into v_used from aos.runs r
             where r.tenant_id = p_tenant and r.completed_at is null and r.parent_id is null and r.kind <> 'task';
          else
            select count(*) into v_used from aos.tasks t where t.tenant_id = p_tenant and t.status = 'pending';
          end if;
          if v_used >= v_limit then
            return json_build_object('quota', v_name, 'limit', v_limit, 'used', v_used, 'until', null);
          end if;
        end if;
        if v_daily is not null then
          perform from aos.quota_days q where q.tenant_id = p_tenant and q.day = v_day;
          if not found then
            delete from aos.quota_days q where q.tenant_id = p_tenant and q.day < v_day;
            select (select count(*) from aos.runs r where r.tenant_id = p_tenant and r.parent_id is null
                      and r.kind <> 'task' and r.created_at >= v_midnight)
                 + (select count(*) from aos.tasks t where t.tenant_id = p_tenant and t.created_at >= v_midnight)
              into v_used;
            insert into aos.quota_days (tenant_id, day, used) values (p_tenant, v_day, v_used);
          end if;
          update aos.quota_days q set used = q.used + 1
           where q.tenant_id = p_tenant and q.day = v_day and q.used < v_daily;
          if not found then
            return json_build_object('quota', 'runs_per_day', 'limit', v_daily,
              'used', (select q.used from aos.quota_days q where q.tenant_id = p_tenant and q.day = v_day),
              'until', to_char((v_midnight + interval '1 day') at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'));
          end if;
        end if;
        return null;
      end $$;

      -- admit_run within the quotas of the tenant: 'quota' when one of them forbids it.
      create function aos.enter_run(
        p_id text, p_kind text, p_session text, p_tenant text, p_user text, p_request json, p_request_hash text,
        p_traceparent text, p_call text, p_simulated boolean, p_now timestamptz, p_deadline timestamptz, p_parent text,
        p_definition text, p_fork json, p_fork_run text, p_keep text[], p_priority integer, p_actor text,
        p_exclusive boolean, p_events json
      ) returns table (outcome text, run aos.runs, refusal json) language plpgsql as $$
      declare
        v_refusal json;
      begin
        if p_parent is null and p_kind <> 'task' then
          v_refusal := aos.quota_refusal(p_tenant, 'run', p_id, p_now);
          if v_refusal is not null then
            return query select 'quota', null::aos.runs, v_refusal;
            return;
          end if;
        end if;
        return query select a.outcome, a.run, null::json from aos.admit_run(p_id, p_kind, p_session, p_tenant, p_user,
          p_request, p_request_hash, p_traceparent, p_call, p_simulated, p_now, p_deadline, p_parent, p_definition, p_fork,
          p_fork_run, p_keep, p_priority, p_actor, p_exclusive, p_events) a;
      end $$;

      create or replace function aos.task_limit(p_kind text, p_name text) returns integer language sql stable as $$
        select least(
          coalesce((select l.max from aos.task_limits l
                     where l.kind = p_kind and l.name in (p_name, '') order by l.name desc limit 1), 2147483647),
          case p_kind when 'tenant' then coalesce(aos.quota_of(p_name, 'concurrent_tasks'), 2147483647)
            else 2147483647 end)
      $$;

      -- Open WebSocket connections of each process; a process that is gone says nothing after its time.
      create table aos.socket_counts (
        tenant_id text not null,
        process text not null,
        count integer not null,
        until timestamptz not null,
        primary key (tenant_id, process)
      );
      select aos.protect_tenant_rows('socket_counts', '');
      create function aos.open_socket(p_tenant text, p_process text, p_now timestamptz, p_until timestamptz)
      returns json language plpgsql as $$
      declare
        v_limit integer := aos.quota_of(p_tenant, 'websockets');
        v_used bigint;
      begin
        if v_limit is not null then
          perform pg_advisory_xact_lock(hashtextextended(json_build_array('quota', p_tenant)::text, 0));
          select coalesce(sum(s.count), 0) into v_used from aos.socket_counts s
           where s.tenant_id = p_tenant and s.until > p_now;
          if v_used >= v_limit then
            return json_build_object('quota', 'websockets', 'limit', v_limit, 'used', v_used, 'until', null);
          end if;
        end if;
        insert into aos.socket_counts as s (tenant_id, process, count, until) values (p_tenant, p_process, 1, p_until)
          on conflict (tenant_id, process) do update set count = s.count + 1, until = p_until;
        return null;
      end $$;`,
  },
  {
    name: '022c-sockets',
    sql: `
      drop function aos.open_socket;

      -- Writes down how many connections of a tenant a process has open, unless the last of them (p_is_new) is one more
      -- than the tenant may have: then it says so, and the others stand.
      create function aos.count_sockets(
        p_tenant text, p_process text, p_now timestamptz, p_until timestamptz, p_open integer, p_is_new boolean
      ) returns json language plpgsql as $$
      declare
        v_limit integer := aos.quota_of(p_tenant, 'websockets');
        v_used bigint;
        v_open integer := p_open;
        v_refusal json;
      begin
        perform pg_advisory_xact_lock(hashtextextended(json_build_array('quota', p_tenant)::text, 0));
        if p_is_new and v_limit is not null then
          select coalesce(sum(s.count), 0) + p_open - 1 into v_used from aos.socket_counts s
           where s.tenant_id = p_tenant and s.process <> p_process and s.until > p_now;
          if v_used >= v_limit then
            v_open := p_open - 1;
            v_refusal := json_build_object('quota', 'websockets', 'limit', v_limit, 'used', v_used, 'until', null);
          end if;
        end if;
        delete from aos.socket_counts s where s.tenant_id = p_tenant and (s.process = p_process or s.until <= p_now);
        if v_open > 0 then
          insert into aos.socket_counts (tenant_id, process, count, until) values (p_tenant, p_process, v_open, p_until);
        end if;
        return v_refusal;
      end $$;`,
  },
];
