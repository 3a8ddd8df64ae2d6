import type { Generated } from 'kysely';
import type { JsonObject } from '../../core/json.ts';
import type { Migration } from '../migration.ts';
import type { Json } from './column.ts';

/** `state` is the whole approval; the other columns are what is looked for. */
export interface ApprovalTable {
  id: string;
  /** Order of asking. */
  number: Generated<string>;
  run_id: string;
  tenant_id: string;
  task_id: string | null;
  agent_id: string | null;
  status: string;
  expires_at: Date;
  /** Those who may see it, as compared names; null for everybody of the tenant. */
  audience: string[] | null;
  /** Counts its changes. */
  revision: number;
  state: Json<JsonObject>;
}

export const approvalMigrations: readonly Migration[] = [
  {
    name: '006-approvals',
    sql: `
      create table aos.approvals (
        id text primary key,
        number bigint generated always as identity,
        run_id text not null references aos.runs on delete cascade,
        tenant_id text not null,
        task_id text,
        agent_id text,
        status text not null,
        expires_at timestamptz not null,
        audience text[],
        revision integer not null,
        state json not null
      );
      create index approvals_due on aos.approvals (expires_at) where status in ('pending', 'escalated');
      create index approvals_run on aos.approvals (run_id);
      create index approvals_tenant on aos.approvals (tenant_id, number);

      -- A run that ends otherwise leaves open approvals behind: whoever watches them cancels them.
      create function aos.tell_open_approvals() returns trigger language plpgsql as $$
      begin
        if exists (select from aos.approvals a where a.run_id = new.id and a.status in ('pending', 'escalated')) then
          perform pg_notify('aos_approvals', new.id);
        end if;
        return null;
      end $$;
      create trigger open_approvals after update of completed_at on aos.runs for each row
        when (old.completed_at is null and new.completed_at is not null) execute function aos.tell_open_approvals();`,
  },
];
