import type { Migration } from '../migration.ts';

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
];
