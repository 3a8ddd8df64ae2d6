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
    // The ids of runs are chosen by callers: each tenant has its own.
    name: '031-run-keys',
    sql: `
      alter table aos.run_events drop constraint run_events_run_id_fkey;
      alter table aos.run_steps drop constraint run_steps_run_id_fkey;
      alter table aos.run_signals drop constraint run_signals_run_id_fkey;
      alter table aos.run_payloads drop constraint run_payloads_run_id_fkey;
      alter table aos.approvals drop constraint approvals_run_id_fkey;
      alter table aos.budget_waits drop constraint budget_waits_run_id_fkey;

      alter table aos.runs drop constraint runs_pkey, add primary key (tenant_id, id);
      alter table aos.run_events
        drop constraint run_events_pkey,
        drop constraint run_events_run_id_key_key,
        add primary key (tenant_id, run_id, seq),
        add unique (tenant_id, run_id, key),
        add foreign key (tenant_id, run_id) references aos.runs on delete cascade;
      alter table aos.run_steps
        drop constraint run_steps_pkey,
        add primary key (tenant_id, run_id, name),
        add foreign key (tenant_id, run_id) references aos.runs on delete cascade;
      alter table aos.run_signals
        drop constraint run_signals_pkey,
        add primary key (tenant_id, run_id, id),
        add foreign key (tenant_id, run_id) references aos.runs on delete cascade;
      alter table aos.run_payloads
        drop constraint run_payloads_pkey,
        add primary key (tenant_id, run_id, digest),
        add foreign key (tenant_id, run_id) references aos.runs on delete cascade;
      alter table aos.approvals add foreign key (tenant_id, run_id) references aos.runs on delete cascade;
      alter table aos.budget_waits
        drop constraint budget_waits_pkey,
        add primary key (tenant_id, run_id, signal),
        add foreign key (tenant_id, run_id) references aos.runs on delete cascade;
      alter table aos.budget_reservations
        drop constraint budget_reservations_pkey,
        add primary key (tenant_id, run_id, step, budget_id);
      alter table aos.run_callbacks
        drop constraint run_callbacks_pkey,
        add primary key (tenant_id, run_id, url, user_id);
      drop index aos.runs_children;
      create index runs_children on aos.runs (tenant_id, parent_id) where parent_id is not null;
      drop index aos.approvals_run;
      create index approvals_run on aos.approvals (tenant_id, run_id);

      -- Whoever writes them says whose they are.
      drop trigger owned on aos.run_steps;
      drop trigger owned on aos.run_signals;
      drop trigger owned on aos.run_payloads;
      drop function aos.own_run_steps, aos.own_run_signals, aos.own_run_payloads;

      create or replace function aos.tell_open_approvals() returns trigger language plpgsql as $$
      begin
        if exists (select from aos.approvals a
          where a.tenant_id = new.tenant_id and a.run_id = new.id and a.status in ('pending', 'escalated')) then
          perform pg_notify('aos_approvals', new.tenant_id || '/' || new.id);
        end if;
        return null;
      end $$;
      create or replace function aos.mark_simulated_run() returns trigger language plpgsql as $$
      begin
        new.simulation := coalesce(current_setting('aos.run_simulation', true), '') = 'on' or exists (
          select from aos.runs r where r.tenant_id = new.tenant_id and r.id = new.parent_id and r.simulation);
        new.simulated := new.simulated or new.simulation;
        return new;
      end $$;`,
  },
  {
    // The rest of the ids and numbers: each is its tenant's own. What leads from one row to another begins with it.
    name: '033-own-ids',
    sql: `
      ${[
        ['approvals', 'id'],
        ['delegations', 'id'],
        ['fabric_actions', 'id'],
        ['outbox', 'id'],
        ['simulation_recordings', 'id'],
        ['audit_facts', 'pos'],
        ['governance_documents', 'number'],
        ['governance_decisions', 'number'],
        ['budget_changes', 'number'],
      ]
        .map(
          ([table, key]) =>
            `alter table aos.${table} drop constraint ${table}_pkey, add primary key (tenant_id, ${key});`,
        )
        .join('\n      ')}
      alter table aos.budget_changes drop constraint budget_changes_key_key, add unique (tenant_id, key);
      drop index aos.audit_facts_tenant;
      drop index aos.delegations_parent;
      create index delegations_parent on aos.delegations (tenant_id, parent_delegation_id)
        where parent_delegation_id is not null;
      create index delegations_run on aos.delegations (tenant_id, parent_run_id) where parent_run_id is not null;
      create index delegations_task on aos.delegations (tenant_id, task_id) where task_id is not null;
      drop index aos.agent_messages_open;
      create index agent_messages_open on aos.agent_messages (tenant_id, task_id)
        where task_id is not null and not answered;`,
  },
];
