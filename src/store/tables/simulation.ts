import type { Generated } from 'kysely';
import type { JsonObject } from '../../core/json.ts';
import type { Migration } from '../migration.ts';
import type { Json } from './column.ts';

/** What would have left, of simulated work. */
export interface SimulationRecordingTable {
  id: string;
  /** Order of recording. */
  number: Generated<string>;
  tenant_id: string;
  user_id: string;
  /** What would have left: `callback`, `notice`, `http_fetch` … */
  kind: string;
  /** Id of what it belongs to: a run, a session. */
  subject: string;
  method: string;
  url: string;
  headers: Json<JsonObject>;
  body: string | null;
  at: Date;
}

/** Whether this database is one of simulations or of real work; one row, once somebody has started on it. */
export interface DatabaseModeTable {
  single: Generated<boolean>;
  mode: string;
}

export const simulationMigrations: readonly Migration[] = [
  {
    name: '026-simulation',
    sql: `
      -- Simulated runs reach nothing outside; nor do the runs that they start. Whoever admits one says so by the setting
      -- aos.run_simulation, so that the function that admits runs need not know.
      alter table aos.runs add column simulation boolean not null default false;
      create function aos.mark_simulated_run() returns trigger language plpgsql as $$
      begin
        new.simulation := coalesce(current_setting('aos.run_simulation', true), '') = 'on'
          or exists (select from aos.runs r where r.id = new.parent_id and r.simulation);
        new.simulated := new.simulated or new.simulation;
        return new;
      end $$;
      create trigger mark_simulated before insert on aos.runs for each row execute function aos.mark_simulated_run();

      alter table aos.outbox add column simulation boolean not null default false;

      create table aos.simulation_recordings (
        id text primary key,
        number bigint generated always as identity,
        tenant_id text not null,
        user_id text not null,
        kind text not null,
        subject text not null,
        method text not null,
        url text not null,
        headers json not null,
        body text,
        at timestamptz not null
      );
      create index simulation_recordings_tenant on aos.simulation_recordings (tenant_id, number);
      select aos.protect_tenant_rows('simulation_recordings', 'select, insert');

      create table aos.database_mode (
        single boolean primary key default true check (single),
        mode text not null
      );
      insert into aos.database_mode (mode) select 'live' where exists (select from aos.runs);`,
  },
];
