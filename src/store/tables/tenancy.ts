/**
 * Tenants kept apart by the database itself (row-level security). Statements made for a caller run under the role
 * `aos_tenant`, which owns nothing, on connections that say whose they are (`aos.tenant`); see `tenant-scopes.ts`.
 *
 * A new table with a `tenant_id` is protected by one line of its migration, `select aos.protect_tenant_rows('things')`,
 * with the rights that tenants need, when those are not all four. A table that is not protected is closed to tenants.
 */
import type { Migration } from '../migration.ts';

/** Whose rows belong to a run or a job and say no more than which. */
const derived = [
  ['run_steps', 'run_id', 'runs'],
  ['run_signals', 'run_id', 'runs'],
  ['run_payloads', 'run_id', 'runs'],
  ['job_runs', 'job_id', 'jobs'],
] as const;

/** What tenants may do, where it is not everything. Logs are written and read, never changed. */
const rights: Readonly<Record<string, string>> = {
  runs: 'select, insert, update',
  run_events: 'select, insert',
  run_steps: 'select, insert',
  run_signals: 'select, insert, update',
  run_payloads: 'select, insert',
  feed: 'select, insert',
  task_turns: '',
  job_runs: 'select, insert, update',
  approvals: 'select, insert, update',
  governance_documents: 'select, insert',
  governance_decisions: 'select, insert',
  audit_facts: 'select, insert',
  audit_heads: 'select',
  audit_entries: 'select',
  audit_checkpoints: 'select',
  audit_people: 'select, insert',
};

const all = 'select, insert, update, delete';
const tables = [
  'runs',
  'run_events',
  'run_steps',
  'run_signals',
  'run_payloads',
  'feed',
  'session_messages',
  'session_documents',
  'tasks',
  'task_turns',
  'jobs',
  'job_runs',
  'records',
  'metric_points',
  'idempotent_answers',
  'run_callbacks',
  'approvals',
  'outbox',
  'governance_documents',
  'governance_decisions',
  'fabric_context',
  'fabric_routes',
  'fabric_planes',
  'fabric_drills',
  'fabric_actions',
  'audit_facts',
  'audit_heads',
  'audit_entries',
  'audit_checkpoints',
  'audit_people',
];

const ownedThrough = derived
  .map(
    ([table, reference, owner]) => `
      alter table aos.${table} add column tenant_id text;
      update aos.${table} t set tenant_id = o.tenant_id from aos.${owner} o where o.id = t.${reference};
      alter table aos.${table} alter column tenant_id set not null;
      create function aos.own_${table}() returns trigger language plpgsql as $$
      begin
        select o.tenant_id into new.tenant_id from aos.${owner} o where o.id = new.${reference};
        return new;
      end $$;
      create trigger owned before insert on aos.${table} for each row
        when (new.tenant_id is null) execute function aos.own_${table}();`,
  )
  .join('');

export const tenancyMigrations: readonly Migration[] = [
  {
    name: '014-tenancy',
    sql: `
      -- The protected tables, with what tenants may do to their own rows in them.
      create table aos.tenant_tables (name text primary key, rights text not null);

      -- Has tenants see and change only their own rows of a table, by its column tenant_id, and lets them in.
      create function aos.protect_tenant_rows(p_table text, p_rights text default '${all}')
      returns void language plpgsql as $$
      begin
        execute format('alter table aos.%I enable row level security', p_table);
        execute format('drop policy if exists own_tenant on aos.%I', p_table);
        execute format(
          'create policy own_tenant on aos.%I using (tenant_id = current_setting(''aos.tenant'', true))', p_table);
        insert into aos.tenant_tables (name, rights) values (p_table, p_rights)
          on conflict (name) do update set rights = excluded.rights;
      end $$;

      -- Whether we may take the role of tenants. (From PostgreSQL 16 on, being a member is not enough.)
      create function aos.is_tenant_role_ours() returns boolean language sql stable as $$
        select case when to_regrole('aos_tenant') is null then false
          else pg_has_role(current_user, 'aos_tenant',
            case when current_setting('server_version_num')::integer >= 160000 then 'SET' else 'MEMBER' end)
        end
      $$;

      -- Whether it has its rights on every protected table as well.
      create function aos.is_tenant_role_ready() returns boolean language sql stable as $$
        select case when not aos.is_tenant_role_ours() then false
          else has_schema_privilege('aos_tenant', 'aos', 'usage')
            and not exists (select from aos.tenant_tables t
              where t.rights <> '' and not has_table_privilege('aos_tenant', format('aos.%I', t.name), 'select'))
            and not exists (select from pg_class c where c.relnamespace = 'aos'::regnamespace
              and case c.relkind when 'S' then not has_sequence_privilege('aos_tenant', c.oid, 'usage') end)
        end
      $$;

      -- Makes the role and gives it its rights. Roles belong to the whole server, so that somebody may be making it for
      -- another database at this moment.
      create function aos.prepare_tenant_role() returns void language plpgsql as $$
      declare
        v_table record;
      begin
        if to_regrole('aos_tenant') is null then
          begin
            create role aos_tenant nologin;
          exception when duplicate_object or unique_violation then null;
          end;
        end if;
        if not aos.is_tenant_role_ours() then
          execute format('grant aos_tenant to %I', current_user);
        end if;
        grant usage on schema aos to aos_tenant;
        grant usage on all sequences in schema aos to aos_tenant;
        for v_table in select * from aos.tenant_tables loop
          execute format('revoke all on aos.%I from aos_tenant', v_table.name);
          if v_table.rights <> '' then
            execute format('grant %s on aos.%I to aos_tenant', v_table.rights, v_table.name);
          end if;
        end loop;
      end $$;
      ${ownedThrough}
      ${tables.map((name) => `select aos.protect_tenant_rows('${name}', '${rights[name] ?? all}');`).join('\n      ')}`,
  },
  {
    // Keys are of a tenant: what another one has written down must not be in the way.
    name: '021-tenant-keys',
    sql: `
      alter table aos.outbox drop constraint outbox_dedupe_key_key;
      alter table aos.outbox add unique (tenant_id, dedupe_key);
      alter table aos.session_messages drop constraint session_messages_run_id_role_key;
      alter table aos.session_messages add unique (tenant_id, run_id, role);
      alter table aos.fabric_drills drop constraint fabric_drills_pkey;
      alter table aos.fabric_drills add primary key (tenant_id, id);
      -- A person is forgotten for the tenant that asks for it.
      select aos.protect_tenant_rows('audit_people', 'select, insert, delete');
      select aos.prepare_tenant_role() where aos.is_tenant_role_ours();`,
  },
  {
    // As before; whose the step is comes from the row of the run, which is there, rather than from the trigger.
    name: '030-step-tenant',
    sql: `
      create or replace function aos.store_step(
        p_run text, p_executor text, p_epoch integer, p_now timestamptz, p_name text, p_outcome json, p_effect text,
        p_started timestamptz, p_events json
      ) returns table (lost boolean, seqs integer[]) language plpgsql as $$
      declare
        v_run record;
        v_written record;
      begin
        select r.tenant_id, r.last_event, r.last_hash, r.last_step, r.completed_at, r.executor, r.epoch into v_run
          from aos.runs r where r.id = p_run for no key update;
        if not found or v_run.completed_at is not null or v_run.executor is distinct from p_executor
          or v_run.epoch <> p_epoch then
          return query select true, '{}'::integer[];
          return;
        end if;
        insert into aos.run_steps (run_id, tenant_id, name, ordinal, outcome, effect, started_at, completed_at, epoch)
          values (p_run, v_run.tenant_id, p_name, v_run.last_step + 1, p_outcome, p_effect, p_started, p_now, p_epoch)
          on conflict do nothing;
        select * into v_written
          from aos.write_events(p_run, v_run.tenant_id, true, p_now, p_events, v_run.last_event, v_run.last_hash);
        update aos.runs set last_step = v_run.last_step + 1, last_event = v_written.p_last, last_hash = v_written.p_hash
          where id = p_run;
        return query select false, v_written.seqs;
      end $$;`,
  },
];
