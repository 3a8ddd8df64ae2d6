/**
 * The durable acts of runs as functions of the database: one statement, one round trip and one commit each, and nothing
 * of a run is ever changed but under the lock of its row. Acts of an execution name the process and the epoch that own
 * the run; when those are not current any more the act does nothing and says `lost`.
 *
 * Events come as a JSON array of `{key, type, actor, trace, digest, data, payloads}`, where `data` is JSON as text (so
 * that the database reads no escapes in it: models do say U+0000 and half surrogates). Numbers of events come back in
 * the order of the array: positive when written, negative when the key was there already, 0 when the log had ended.
 */
export const runRoutines = `
  -- Writes events of a run whose row the caller has locked, and links them: see src/runs/event-chain.ts.
  create function aos.write_events(
    p_tenant text, p_run text, p_open boolean, p_at timestamptz, p_events json,
    inout p_last integer, inout p_hash text, out seqs integer[]
  ) language plpgsql as $$
  declare
    v_event record;
    v_payload record;
    v_hash text;
    v_seq integer;
  begin
    seqs := '{}';
    if p_events is null then return; end if;
    for v_event in
      select * from json_to_recordset(p_events)
        as e (key text, type text, actor text, trace text, digest text, data text, payloads json)
    loop
      v_seq := null;
      if p_open then
        v_hash := encode(sha256(convert_to(p_hash || ':' || (p_last + 1) || ':' || v_event.digest, 'UTF8')), 'hex');
        insert into aos.run_events (tenant_id, run_id, seq, key, type, at, data, actor, trace_id, hash, prev_hash)
          values (p_tenant, p_run, p_last + 1, v_event.key, v_event.type, p_at, v_event.data::json, v_event.actor,
            v_event.trace, v_hash, p_hash)
          on conflict (tenant_id, run_id, key) do nothing;
        if found then
          p_last := p_last + 1;
          p_hash := v_hash;
          v_seq := p_last;
          if v_event.payloads is not null then
            for v_payload in select * from json_to_recordset(v_event.payloads) as p (digest text, body text) loop
              insert into aos.run_payloads (tenant_id, run_id, digest, body)
                values (p_tenant, p_run, v_payload.digest, v_payload.body::json)
                on conflict do nothing;
            end loop;
          end if;
        end if;
      end if;
      if v_seq is null then
        select -e.seq into v_seq from aos.run_events e where e.tenant_id = p_tenant and e.run_id = p_run and e.key = v_event.key;
      end if;
      seqs := seqs || coalesce(v_seq, 0);
    end loop;
  end $$;

  -- Writes events; for an execution (p_executor given) only while it owns the run. No row: there is no such run.
  create function aos.append_events(p_tenant text, p_run text, p_executor text, p_epoch integer, p_at timestamptz, p_events json)
  returns table (lost boolean, seqs integer[]) language plpgsql as $$
  declare
    v_run record;
    v_written record;
  begin
    select r.last_event, r.last_hash, r.completed_at, r.executor, r.epoch into v_run
      from aos.runs r where r.tenant_id = p_tenant and r.id = p_run for no key update;
    if not found then return; end if;
    if p_executor is not null and v_run.completed_at is null
      and (v_run.executor is distinct from p_executor or v_run.epoch <> p_epoch) then
      return query select true, '{}'::integer[];
      return;
    end if;
    select * into v_written from aos.write_events(
      p_tenant, p_run, v_run.completed_at is null, p_at, p_events, v_run.last_event, v_run.last_hash);
    if v_written.p_last > v_run.last_event then
      update aos.runs set last_event = v_written.p_last, last_hash = v_written.p_hash where tenant_id = p_tenant and id = p_run;
    end if;
    return query select false, v_written.seqs;
  end $$;

  -- Everything that decides which chat run of a session is next takes this lock.
  create function aos.lock_session(p_tenant text, p_user text, p_session text) returns void language sql as $$
    select pg_advisory_xact_lock(hashtextextended(json_build_array('session', p_tenant, p_user, p_session)::text, 0));
  $$;

  -- Makes a run with its first events: 'created', 'existing' (the tenant has a run of that id already, whoever it belongs
  -- to), 'busy' (the session policy refuses it) or 'quota' (a quota of the tenant does: see refusal).
  create function aos.admit_run(
    p_tenant text, p_run text, p_kind text, p_session text, p_user text, p_request json, p_request_hash text,
    p_traceparent text, p_call text, p_simulated boolean, p_now timestamptz, p_deadline timestamptz, p_parent text,
    p_definition text, p_fork json, p_fork_run text, p_keep text[], p_priority integer, p_actor text, p_exclusive boolean,
    p_held boolean, p_events json
  ) returns table (outcome text, run aos.runs, refusal json) language plpgsql as $$
  declare
    v_run aos.runs;
    v_root text := p_run;
    v_depth integer := 0;
    v_written record;
    v_refusal json;
  begin
    if p_parent is null and p_kind <> 'task' then
      v_refusal := aos.quota_refusal(p_tenant, 'run', p_run, p_now);
      if v_refusal is not null then
        return query select 'quota', null::aos.runs, v_refusal;
        return;
      end if;
    end if;
    if p_exclusive then
      perform aos.lock_session(p_tenant, p_user, p_session);
      select r.* into v_run from aos.runs r where r.tenant_id = p_tenant and r.id = p_run;
      if not found and exists (
        select from aos.runs r where r.tenant_id = p_tenant and r.user_id = p_user and r.session_id = p_session
          and r.kind = 'chat' and r.completed_at is null
      ) then
        return query select 'busy', null::aos.runs, null::json;
        return;
      end if;
    end if;
    if p_parent is not null then
      select coalesce(max(r.root_id), p_run), coalesce(max(r.depth) + 1, 0) into v_root, v_depth
        from aos.runs r where r.tenant_id = p_tenant and r.id = p_parent;
    end if;
    -- Number and hash of its first event are known before it is written.
    insert into aos.runs (tenant_id, id, kind, session_id, user_id, request, request_hash, status, traceparent, call_id,
        simulated, created_at, deadline_at, parent_id, root_id, depth, definition, fork_of, priority, actor, held,
        last_event, last_hash, last_step)
      values (p_tenant, p_run, p_kind, p_session, p_user, p_request, p_request_hash, 'queued', p_traceparent, p_call,
        p_simulated, p_now, p_deadline, p_parent, v_root, v_depth, p_definition, p_fork, p_priority, p_actor, p_held, 1,
        encode(sha256(convert_to(repeat('0', 64) || ':1:' || (p_events->0->>'digest'), 'UTF8')), 'hex'),
        coalesce(cardinality(p_keep), 0))
      on conflict (tenant_id, id) do nothing
      returning * into v_run;
    if not found then
      return query select 'existing', r, null::json from aos.runs r where r.tenant_id = p_tenant and r.id = p_run;
      return;
    end if;
    if p_keep is not null then
      insert into aos.run_steps (tenant_id, run_id, name, ordinal, outcome, effect, started_at, completed_at, epoch)
        select p_tenant, p_run, s.name, row_number() over (order by s.ordinal), s.outcome, s.effect, s.started_at,
            s.completed_at, 0
          from aos.run_steps s where s.tenant_id = p_tenant and s.run_id = p_fork_run and s.name = any (p_keep);
    end if;
    select * into v_written from aos.write_events(p_tenant, p_run, true, p_now, p_events, 0, repeat('0', 64));
    if v_written.p_last > 1 then
      update aos.runs r set last_event = v_written.p_last, last_hash = v_written.p_hash
        where r.tenant_id = p_tenant and r.id = p_run returning * into v_run;
    end if;
    return query select 'created', v_run, null::json;
  end $$;

  -- Ends those of the waits for which a signal is there or whose time has passed: their outcome becomes a step.
  create function aos.end_waits(
    p_tenant text, p_run text, p_epoch integer, p_waits json, p_now timestamptz, inout p_step integer, out ended json
  ) language plpgsql as $$
  declare
    v_wait record;
    v_signal record;
    v_outcome json;
    v_ended json[] := '{}';
  begin
    for v_wait in select * from json_to_recordset(p_waits) as w (name text, signal text, until timestamptz) loop
      select s.id, s.name, s.payload, s.actor, s.at into v_signal from aos.run_signals s
        where s.tenant_id = p_tenant and s.run_id = p_run and s.name = v_wait.signal and s.taken_by is null order by s.position limit 1;
      if found then
        update aos.run_signals set taken_by = v_wait.name where tenant_id = p_tenant and run_id = p_run and id = v_signal.id;
        v_outcome := json_build_object('value', json_build_object(
          'id', v_signal.id, 'name', v_signal.name, 'payload', v_signal.payload, 'actor', v_signal.actor,
          'at', to_char(v_signal.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')));
      elsif v_wait.until <= p_now then
        v_outcome := '{"value":null}';
      else
        continue;
      end if;
      p_step := p_step + 1;
      insert into aos.run_steps (tenant_id, run_id, name, ordinal, outcome, effect, started_at, completed_at, epoch)
        values (p_tenant, p_run, v_wait.name, p_step, v_outcome, 'wait', p_now, p_now, p_epoch) on conflict do nothing;
      v_ended := v_ended || json_build_object('name', v_wait.name, 'outcome', v_outcome);
    end loop;
    if cardinality(v_ended) > 0 then ended := array_to_json(v_ended); end if;
  end $$;

  -- Gives a run that nobody executes to a process, with all its steps. No row: it is not to be executed now.
  -- p_tasks: whether tasks are meant too. p_events tells that a waiting run goes on. A process that asks again gets what
  -- it got: the answer may have been lost.
  create function aos.claim_run(p_tenant text, p_run text, p_executor text, p_now timestamptz, p_tasks boolean, p_events json)
  returns table (run aos.runs, steps json) language plpgsql as $$
  declare
    v_run aos.runs;
    v_written record;
    v_waits record;
  begin
    select r.* into v_run from aos.runs r where r.tenant_id = p_tenant and r.id = p_run for no key update;
    if not found or v_run.completed_at is not null or v_run.executor <> p_executor
      or (v_run.kind = 'task' and not p_tasks) then return; end if;
    if v_run.status = 'waiting' then
      if v_run.wake_at is null or v_run.wake_at > p_now then return; end if;
      select * into v_waits from aos.end_waits(p_tenant, p_run, v_run.epoch + 1, v_run.waits, p_now, v_run.last_step);
      v_run.last_step := v_waits.p_step;
      select * into v_written
        from aos.write_events(p_tenant, p_run, true, p_now, p_events, v_run.last_event, v_run.last_hash);
      v_run.last_event := v_written.p_last;
      v_run.last_hash := v_written.p_hash;
    elsif v_run.status = 'queued' then
      if v_run.kind = 'chat' and v_run.cancel_reason is null then
        perform aos.lock_session(v_run.tenant_id, v_run.user_id, v_run.session_id);
        if exists (
          select from aos.runs r where r.tenant_id = v_run.tenant_id and r.user_id = v_run.user_id
            and r.session_id = v_run.session_id and r.kind = 'chat' and r.completed_at is null and r.id <> p_run
            and r.status = 'queued' and r.number < v_run.number
        ) then return; end if;
        -- One that is about to end is waited for: whoever ends it may not have seen this one yet.
        perform from aos.runs r where r.tenant_id = v_run.tenant_id and r.user_id = v_run.user_id
          and r.session_id = v_run.session_id and r.kind = 'chat' and r.completed_at is null and r.id <> p_run
          and r.status <> 'queued' for share;
        if found then return; end if;
      end if;
      -- Should the machine lose power right now the run is simply queued again: whoever owns it is told apart by its
      -- process too, and nothing was told to anybody.
      perform set_config('synchronous_commit', 'off', true);
    end if;
    update aos.runs r set executor = p_executor, epoch = r.epoch + 1, executions = r.executions + 1,
        status = 'running', started_at = coalesce(r.started_at, p_now), waiting_for = null, wake_at = null, waits = null,
        waiting_on = null, last_event = v_run.last_event, last_hash = v_run.last_hash, last_step = v_run.last_step
      where r.tenant_id = p_tenant and r.id = p_run returning * into v_run;
    return query select v_run, (
      select json_agg(json_build_object('name', s.name, 'outcome', s.outcome) order by s.ordinal)
        from aos.run_steps s where s.tenant_id = p_tenant and s.run_id = p_run);
  end $$;

  -- Stores the outcome of a step with its events.
  create function aos.store_step(
    p_tenant text, p_run text, p_executor text, p_epoch integer, p_now timestamptz, p_name text, p_outcome json, p_effect text,
    p_started timestamptz, p_events json
  ) returns table (lost boolean, seqs integer[]) language plpgsql as $$
  declare
    v_run record;
    v_written record;
  begin
    select r.last_event, r.last_hash, r.last_step, r.completed_at, r.executor, r.epoch into v_run
      from aos.runs r where r.tenant_id = p_tenant and r.id = p_run for no key update;
    if not found or v_run.completed_at is not null or v_run.executor is distinct from p_executor
      or v_run.epoch <> p_epoch then
      return query select true, '{}'::integer[];
      return;
    end if;
    insert into aos.run_steps (tenant_id, run_id, name, ordinal, outcome, effect, started_at, completed_at, epoch)
      values (p_tenant, p_run, p_name, v_run.last_step + 1, p_outcome, p_effect, p_started, p_now, p_epoch) on conflict do nothing;
    select * into v_written
      from aos.write_events(p_tenant, p_run, true, p_now, p_events, v_run.last_event, v_run.last_hash);
    update aos.runs set last_step = v_run.last_step + 1, last_event = v_written.p_last, last_hash = v_written.p_hash
      where tenant_id = p_tenant and id = p_run;
    return query select false, v_written.seqs;
  end $$;

  -- Looks after the waits of an execution: 'ended' (some are over), 'open' (none is), 'parked' (none is, and the run is
  -- let go), 'cancelled' (it is not let go, because it is to end), 'lost'.
  create function aos.wait_run(
    p_tenant text, p_run text, p_executor text, p_epoch integer, p_now timestamptz, p_waits json, p_park boolean, p_reason text,
    p_wake timestamptz, p_events json
  ) returns table (state text, ended json, seqs integer[], wake timestamptz) language plpgsql as $$
  declare
    v_run record;
    v_written record;
    v_waits record;
    v_wake timestamptz;
  begin
    select r.last_event, r.last_hash, r.last_step, r.completed_at, r.executor, r.epoch, r.cancel_reason,
        r.deadline_at into v_run
      from aos.runs r where r.tenant_id = p_tenant and r.id = p_run for no key update;
    if not found or v_run.completed_at is not null or v_run.executor is distinct from p_executor
      or v_run.epoch <> p_epoch then
      return query select 'lost', null::json, '{}'::integer[], null::timestamptz;
      return;
    end if;
    if v_run.cancel_reason is not null then
      return query select 'cancelled', null::json, '{}'::integer[], null::timestamptz;
      return;
    end if;
    select * into v_waits from aos.end_waits(p_tenant, p_run, p_epoch, p_waits, p_now, v_run.last_step);
    if v_waits.ended is not null then
      update aos.runs set last_step = v_waits.p_step where tenant_id = p_tenant and id = p_run;
      return query select 'ended', v_waits.ended, '{}'::integer[], null::timestamptz;
      return;
    end if;
    if not p_park then
      return query select 'open', null::json, '{}'::integer[], null::timestamptz;
      return;
    end if;
    select * into v_written
      from aos.write_events(p_tenant, p_run, true, p_now, p_events, v_run.last_event, v_run.last_hash);
    v_wake := least(p_wake, v_run.deadline_at);
    update aos.runs set status = 'waiting', waiting_for = p_reason, wake_at = v_wake, waits = p_waits,
        waiting_on = (select array_agg(w.signal) from json_to_recordset(p_waits) as w (signal text)),
        executor = null, executions = 0, last_event = v_written.p_last, last_hash = v_written.p_hash
      where tenant_id = p_tenant and id = p_run;
    return query select 'parked', null::json, v_written.seqs, v_wake;
  end $$;

  -- Gives a run a signal, once per id; a run that waits for one of that name is due from now on.
  create function aos.signal_run(
    p_tenant text, p_run text, p_id text, p_name text, p_payload json, p_actor text, p_now timestamptz
  ) returns table (accepted boolean, woken boolean, executor text, kind text) language plpgsql as $$
  declare
    v_run record;
    v_woken boolean := false;
  begin
    select r.status, r.waiting_on, r.wake_at, r.completed_at, r.executor, r.kind into v_run
      from aos.runs r where r.tenant_id = p_tenant and r.id = p_run for no key update;
    if not found or v_run.completed_at is not null then
      return query select false, false, null::text, null::text;
      return;
    end if;
    insert into aos.run_signals (tenant_id, run_id, id, name, payload, actor, at)
      values (p_tenant, p_run, p_id, p_name, p_payload, p_actor, p_now) on conflict do nothing;
    if found and v_run.status = 'waiting' and p_name = any (v_run.waiting_on) then
      update aos.runs r set wake_at = 'epoch' where r.tenant_id = p_tenant and r.id = p_run;
      v_woken := true;
    end if;
    return query select true, v_woken, v_run.executor, v_run.kind;
  end $$;

  -- Takes the signals of a name that are there, as the outcome of a step.
  create function aos.poll_signals(
    p_tenant text, p_run text, p_executor text, p_epoch integer, p_now timestamptz, p_step text, p_name text
  ) returns table (lost boolean, outcome json) language plpgsql as $$
  declare
    v_run record;
    v_outcome json;
  begin
    select r.last_step, r.completed_at, r.executor, r.epoch into v_run
      from aos.runs r where r.tenant_id = p_tenant and r.id = p_run for no key update;
    if not found or v_run.completed_at is not null or v_run.executor is distinct from p_executor
      or v_run.epoch <> p_epoch then
      return query select true, null::json;
      return;
    end if;
    -- Should this be the repetition of an act whose answer was lost: the step is there.
    select s.outcome into v_outcome from aos.run_steps s where s.tenant_id = p_tenant and s.run_id = p_run and s.name = p_step;
    if not found then
      with taken as (
        update aos.run_signals s set taken_by = p_step
          where s.tenant_id = p_tenant and s.run_id = p_run and s.name = p_name and s.taken_by is null returning s.*
      )
      select json_build_object('value', coalesce(json_agg(json_build_object(
          'id', t.id, 'name', t.name, 'payload', t.payload, 'actor', t.actor,
          'at', to_char(t.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) order by t.position), '[]'::json))
        into v_outcome from taken t;
      insert into aos.run_steps (tenant_id, run_id, name, ordinal, outcome, effect, started_at, completed_at, epoch)
        values (p_tenant, p_run, p_step, v_run.last_step + 1, v_outcome, 'wait', p_now, p_now, p_epoch);
      update aos.runs r set last_step = v_run.last_step + 1 where r.tenant_id = p_tenant and r.id = p_run;
    end if;
    return query select false, v_outcome;
  end $$;

  -- Stores the state of an endless program and forgets its steps.
  create function aos.checkpoint_run(p_tenant text, p_run text, p_executor text, p_epoch integer, p_state json)
  returns boolean language plpgsql as $$
  begin
    update aos.runs r set checkpoint = p_state, executions = 1
      where r.tenant_id = p_tenant and r.id = p_run and r.completed_at is null and r.executor = p_executor and r.epoch = p_epoch;
    if not found then return false; end if;
    delete from aos.run_steps where tenant_id = p_tenant and run_id = p_run;
    delete from aos.run_signals where tenant_id = p_tenant and run_id = p_run and taken_by is not null;
    return true;
  end $$;

  -- What follows from the end of a run: the chat run of its session whose turn it is then, and a signal to its parent.
  create function aos.follow_end(
    p_run aos.runs, p_now timestamptz, out next_run text, out parent_woken boolean, out parent_executor text,
    out parent_kind text
  ) language plpgsql as $$
  begin
    parent_woken := false;
    if p_run.kind = 'chat' then
      select r.id into next_run from aos.runs r
        where r.tenant_id = p_run.tenant_id and r.user_id = p_run.user_id and r.session_id = p_run.session_id
          and r.kind = 'chat' and r.completed_at is null
        order by r.number limit 1;
    end if;
    if p_run.parent_id is not null then
      select s.woken, s.executor, s.kind into parent_woken, parent_executor, parent_kind
        from aos.signal_run(p_run.tenant_id, p_run.parent_id, 'run/' || p_run.id, 'run/' || p_run.id,
          json_build_object('status', p_run.status), 'run:' || p_run.id, p_now) s;
    end if;
  end $$;

  -- Moves a run to a status with its events, if it is in one of p_from: 'moved', 'stayed', 'lost'. No row: there is
  -- no such run.
  create function aos.move_run(
    p_tenant text, p_run text, p_executor text, p_epoch integer, p_from text[], p_to text, p_end boolean, p_now timestamptz,
    p_reason text, p_result json, p_error json, p_events json
  ) returns table (
    state text, run aos.runs, seqs integer[], next_run text, parent_woken boolean, parent_executor text, parent_kind text
  ) language plpgsql as $$
  declare
    v_run aos.runs;
    v_written record;
    v_end record;
  begin
    select r.* into v_run from aos.runs r where r.tenant_id = p_tenant and r.id = p_run for no key update;
    if not found then return; end if;
    select null::text as next_run, false as parent_woken, null::text as parent_executor, null::text as parent_kind
      into v_end;
    if p_executor is not null and v_run.completed_at is null
      and (v_run.executor is distinct from p_executor or v_run.epoch <> p_epoch) then
      return query select 'lost', v_run, '{}'::integer[], null::text, false, null::text, null::text;
      return;
    end if;
    if not v_run.status = any (p_from) then
      return query select 'stayed', v_run, '{}'::integer[], null::text, false, null::text, null::text;
      return;
    end if;
    select * into v_written
      from aos.write_events(p_tenant, p_run, true, p_now, p_events, v_run.last_event, v_run.last_hash);
    update aos.runs r set status = p_to, waiting_for = p_reason, wake_at = null, waits = null, waiting_on = null,
        result = coalesce(p_result, r.result), error = coalesce(p_error, r.error),
        started_at = case when p_to = 'running' then coalesce(r.started_at, p_now) else r.started_at end,
        completed_at = case when p_end then p_now end,
        last_event = v_written.p_last, last_hash = v_written.p_hash
      where r.tenant_id = p_tenant and r.id = p_run returning * into v_run;
    if p_end then
      select * into v_end from aos.follow_end(v_run, p_now);
    end if;
    return query select 'moved', v_run, v_written.seqs, v_end.next_run, v_end.parent_woken, v_end.parent_executor,
      v_end.parent_kind;
  end $$;

  -- Notes that somebody wants the run to end; only the first reason counts. A run that nobody executes ends at once,
  -- with the events of p_end.
  create function aos.request_cancel(
    p_tenant text, p_run text, p_user text, p_reason text, p_now timestamptz, p_events json, p_end json
  ) returns table (
    run aos.runs, seqs integer[], ended boolean, next_run text, parent_woken boolean, parent_executor text,
    parent_kind text
  ) language plpgsql as $$
  declare
    v_run aos.runs;
    v_written record;
    v_end record;
    v_seqs integer[];
  begin
    select r.* into v_run from aos.runs r
      where r.tenant_id = p_tenant and r.id = p_run and r.user_id = p_user for no key update;
    if not found then return; end if;
    if v_run.completed_at is not null or v_run.cancel_reason is not null then
      return query select v_run, '{}'::integer[], false, null::text, false, null::text, null::text;
      return;
    end if;
    select * into v_written
      from aos.write_events(p_tenant, p_run, true, p_now, p_events, v_run.last_event, v_run.last_hash);
    v_seqs := v_written.seqs;
    if v_run.status in ('queued', 'waiting') then
      select * into v_written
        from aos.write_events(p_tenant, p_run, true, p_now, p_end, v_written.p_last, v_written.p_hash);
      update aos.runs r set cancel_reason = p_reason, status = 'cancelled', completed_at = p_now, waiting_for = null,
          wake_at = null, waits = null, waiting_on = null, last_event = v_written.p_last, last_hash = v_written.p_hash
        where r.tenant_id = p_tenant and r.id = p_run returning * into v_run;
      select * into v_end from aos.follow_end(v_run, p_now);
      return query select v_run, v_seqs || v_written.seqs, true, v_end.next_run, v_end.parent_woken,
        v_end.parent_executor, v_end.parent_kind;
      return;
    end if;
    update aos.runs r set cancel_reason = p_reason, last_event = v_written.p_last, last_hash = v_written.p_hash
      where r.tenant_id = p_tenant and r.id = p_run returning * into v_run;
    perform pg_notify('aos_cancels', p_tenant || '/' || p_run);
    return query select v_run, v_seqs, false, null::text, false, null::text, null::text;
  end $$;

  -- The runs that somebody should execute now, the most urgent first: those of dead processes, those whose wait is
  -- over, and those queued no later than p_queued.
  create function aos.due_runs(p_now timestamptz, p_queued timestamptz, p_limit integer)
  returns table (tenant_id text, id text, kind text) language sql stable as $$
    (select r.tenant_id, r.id, r.kind from aos.runs r where r.status = 'running' and r.executor is null
      order by r.priority, r.number limit p_limit)
    union all
    (select r.tenant_id, r.id, r.kind from aos.runs r where r.status = 'waiting' and r.wake_at <= p_now
      order by r.wake_at limit p_limit)
    union all
    (select r.tenant_id, r.id, r.kind from aos.runs r where r.status = 'queued' and r.kind <> 'task' and r.created_at <= p_queued
        and not (r.kind = 'chat' and exists (
          select from aos.runs o where o.tenant_id = r.tenant_id and o.user_id = r.user_id
            and o.session_id = r.session_id and o.kind = 'chat' and o.completed_at is null and o.id <> r.id
            and (o.status <> 'queued' or o.number < r.number)))
      order by r.priority, r.number limit p_limit)
  $$;
`;
