/** How workers get their tasks, as a function of the database: claims follow one another, so limits are exact. */
export const taskRoutines = `
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
        select h.tenant_id, h.id, h.due_at, h.seq,
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
        select t.tenant_id, t.id, c.served_rank
          from candidate c join aos.tasks t on t.tenant_id = c.tenant_id and t.id = c.id
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
        from next where t.tenant_id = next.tenant_id and t.id = next.id
      returning t.* into v_task;
      exit when not found;
      insert into aos.task_turns (tenant_id, rank, turn)
        values (v_task.tenant_id, v_task.served_rank, nextval('aos.task_turn'))
        on conflict (tenant_id, rank) do update set turn = excluded.turn;
      return next v_task;
    end loop;
  end $$;
`;
