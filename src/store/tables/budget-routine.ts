/**
 * What is set aside of budgets and settled, as functions of the database: whoever comes second sees what the first took.
 * Of every account `committed + reserved` stays within what there is (`cap + raised`).
 *
 * Locks are taken in one order, so that nobody waits in a circle: the row of the run, then accounts by rank (tenant,
 * orchestration, agent, step), budget and name. Whoever locks an account locks no run afterwards.
 */
export const budgetRoutines = `
  -- Sets aside for a step of a run what p_asked says of each account ({budget, account, rank, dimension, amount, starts,
  -- ends}), all of it or nothing. 'granted', 'kept' (it was before: a step that is done again finds its reservation, and
  -- so does the admission of a run that is there), 'ended' (there is no such run under way; p_admission: there need not
  -- be one yet), or 'refused' with a row for each account that has too little.
  create function aos.reserve_budget(
    p_tenant text, p_run text, p_step text, p_admission boolean, p_now timestamptz, p_asked json
  ) returns table (
    state text, budget text, account text, amount numeric, there_is numeric, committed numeric, reserved numeric,
    overdrawn numeric
  ) language plpgsql as $$
  begin
    if p_admission then
      if exists (select from aos.runs r where r.tenant_id = p_tenant and r.id = p_run) then
        return query select 'kept', null::text, null::text, null::numeric, null::numeric, null::numeric, null::numeric,
          null::numeric;
        return;
      end if;
    else
      -- Held until the commit: what is set aside for a run is there when its end gives everything back.
      perform from aos.runs r where r.tenant_id = p_tenant and r.id = p_run and r.completed_at is null for share;
      if not found then
        return query select 'ended', null::text, null::text, null::numeric, null::numeric, null::numeric, null::numeric,
          null::numeric;
        return;
      end if;
    end if;
    -- Should the machine lose power right now, the step has not begun and sets aside anew. So nobody waits for the disk
    -- while others wait for the account.
    perform set_config('synchronous_commit', 'off', true);
    insert into aos.budget_accounts (tenant_id, budget_id, account, rank, starts_at, ends_at)
      select p_tenant, a.budget, a.account, a.rank, a.starts, a.ends
        from json_to_recordset(p_asked)
          as a (budget text, account text, rank smallint, starts timestamptz, ends timestamptz)
        join aos.budgets b on b.tenant_id = p_tenant and b.id = a.budget
       where not exists (
         select from aos.budget_accounts c
          where c.tenant_id = p_tenant and c.budget_id = a.budget and c.account = a.account)
       order by a.rank, a.budget, a.account
      on conflict do nothing;
    perform from aos.budget_accounts c
      join json_to_recordset(p_asked) as a (budget text, account text)
        on c.tenant_id = p_tenant and c.budget_id = a.budget and c.account = a.account
      order by c.rank, c.budget_id, c.account for no key update of c;
    if exists (select from aos.budget_reservations r where r.tenant_id = p_tenant and r.run_id = p_run and r.step = p_step) then
      return query select 'kept', null::text, null::text, null::numeric, null::numeric, null::numeric, null::numeric,
        null::numeric;
      return;
    end if;
    return query
      select 'refused', c.budget_id, c.account, a.amount, b.cap + c.raised, c.committed, c.reserved, c.overdrawn
        from json_to_recordset(p_asked) as a (budget text, account text, amount numeric)
        join aos.budget_accounts c on c.tenant_id = p_tenant and c.budget_id = a.budget and c.account = a.account
        join aos.budgets b on b.tenant_id = p_tenant and b.id = a.budget
       where c.committed + c.reserved + c.overdrawn + a.amount > b.cap + c.raised
       order by c.rank, c.budget_id, c.account;
    if found then return; end if;
    update aos.budget_accounts c set reserved = c.reserved + a.amount
      from json_to_recordset(p_asked) as a (budget text, account text, amount numeric)
      where c.tenant_id = p_tenant and c.budget_id = a.budget and c.account = a.account;
    insert into aos.budget_reservations (run_id, step, tenant_id, budget_id, account, dimension, amount, at)
      select p_run, p_step, p_tenant, a.budget, a.account, a.dimension, a.amount, p_now
        from json_to_recordset(p_asked) as a (budget text, account text, dimension text, amount numeric)
        join aos.budget_accounts c on c.tenant_id = p_tenant and c.budget_id = a.budget and c.account = a.account;
    return query select 'granted', null::text, null::text, null::numeric, null::numeric, null::numeric, null::numeric,
      null::numeric;
  end $$;

  -- Settles what was set aside for a step (null: for all steps of the run) with what was used of each dimension; null
  -- gives it back. What was used above all that there is, is overdrawn. The first time that an account passes 50, 75,
  -- 90 or 100 % of what there is, the feed is told.
  create function aos.settle_budget(p_tenant text, p_run text, p_step text, p_used json, p_now timestamptz) returns void
  language plpgsql as $$
  declare
    v_account record;
    v_threshold smallint;
  begin
    perform from aos.budget_accounts c
      join aos.budget_reservations r
        on r.tenant_id = c.tenant_id and r.budget_id = c.budget_id and r.account = c.account
      where r.tenant_id = p_tenant and r.run_id = p_run and (p_step is null or r.step = p_step)
      order by c.rank, c.budget_id, c.account for no key update of c;
    if not found then return; end if;
    for v_account in
      with gone as (
        delete from aos.budget_reservations r where r.tenant_id = p_tenant and r.run_id = p_run and (p_step is null or r.step = p_step) returning r.*
      ), summed as (
        select g.tenant_id, g.budget_id, g.account, sum(g.amount) as amount,
            sum(coalesce(greatest((p_used->>g.dimension)::numeric, 0), 0)) as used
          from gone g group by 1, 2, 3
      )
      update aos.budget_accounts c set
          reserved = c.reserved - s.amount,
          committed = c.committed + least(s.used + c.overdrawn,
            greatest(b.cap + c.raised - c.committed - c.reserved + s.amount, 0)),
          overdrawn = greatest(s.used + c.overdrawn
            - greatest(b.cap + c.raised - c.committed - c.reserved + s.amount, 0), 0)
        from summed s
        join aos.budgets b on b.tenant_id = s.tenant_id and b.id = s.budget_id
        where c.tenant_id = s.tenant_id and c.budget_id = s.budget_id and c.account = s.account
        returning c.tenant_id, c.budget_id, c.account, c.committed, c.overdrawn, c.warned, b.cap + c.raised as there_is,
          b.dimension
    loop
      select max(t) into v_threshold from unnest(array[50, 75, 90, 100]::smallint[]) t
        where v_account.there_is > 0 and (v_account.committed + v_account.overdrawn) * 100 >= t * v_account.there_is;
      if v_threshold > v_account.warned then
        update aos.budget_accounts c set warned = v_threshold
          where c.tenant_id = v_account.tenant_id and c.budget_id = v_account.budget_id and c.account = v_account.account;
        insert into aos.feed (tenant_id, user_id, type, subject, at, data)
          values (v_account.tenant_id, '', 'budget.threshold', v_account.budget_id, p_now, json_build_object(
            'budget_id', v_account.budget_id, 'account', v_account.account, 'dimension', v_account.dimension,
            'percent', v_threshold, 'used', v_account.committed + v_account.overdrawn,
            'there_is', v_account.there_is));
      end if;
    end loop;
  end $$;

  -- The end of a run gives back what its steps had set aside, and settles the run itself ('', and 'attempt' where it is an
  -- attempt at a task): one run, and how long it took, an attempt no longer than it may. Deferred to the commit, when
  -- every row of a run that the transaction wants is locked.
  create or replace function aos.end_budget() returns trigger language plpgsql as $$
  declare
    v_seconds numeric := greatest(extract(epoch from new.completed_at - coalesce(new.started_at, new.completed_at)), 0);
  begin
    if exists (select from aos.budget_reservations r where r.tenant_id = new.tenant_id and r.run_id = new.id) then
      perform from aos.budget_accounts c
        join aos.budget_reservations r
          on r.tenant_id = c.tenant_id and r.budget_id = c.budget_id and r.account = c.account
        where r.tenant_id = new.tenant_id and r.run_id = new.id
        order by c.rank, c.budget_id, c.account for no key update of c;
      perform aos.settle_budget(new.tenant_id, new.id, '',
        json_build_object('runs', 1, 'wall_clock_seconds', v_seconds), new.completed_at);
      perform aos.settle_budget(new.tenant_id, new.id, 'attempt',
        json_build_object('runs', 1, 'wall_clock_seconds', least(v_seconds, (
          select max(r.amount) from aos.budget_reservations r
           where r.tenant_id = new.tenant_id and r.run_id = new.id and r.step = 'attempt'
             and r.dimension = 'wall_clock_seconds'))), new.completed_at);
      perform aos.settle_budget(new.tenant_id, new.id, null, null, new.completed_at);
    end if;
    return null;
  end $$;
`;
