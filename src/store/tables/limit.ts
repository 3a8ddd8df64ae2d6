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
