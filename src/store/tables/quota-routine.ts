/**
 * The quotas of a tenant, asked in the statement that lets a run or a task in: see `src/governance/limits/quota-ledger.ts`.
 */
export const quotaRoutines = `
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
    if p_what = 'run' then perform from aos.runs r where r.tenant_id = p_tenant and r.id = p_id;
    else perform from aos.tasks t where t.tenant_id = p_tenant and t.id = p_id;
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
`;
