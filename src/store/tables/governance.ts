import type { Generated } from 'kysely';
import type { JsonObject } from '../../core/json.ts';
import type { Migration } from '../migration.ts';
import type { Json } from './column.ts';

/** A matrix or a policy that somebody gave; the newest of a tenant and kind holds. Nothing is ever changed. */
export interface GovernanceDocumentTable {
  /** Order of writing. */
  number: Generated<string>;
  tenant_id: string;
  /** `raci` or `policy`. */
  kind: string;
  hash: string;
  content: Json<JsonObject>;
  written_by: string;
  written_at: Date;
}

/** Decisions about what happens in no run; those of runs are events of their logs. */
export interface GovernanceDecisionTable {
  number: Generated<string>;
  tenant_id: string;
  /** null for what happened in no run. */
  run_id: string | null;
  at: Date;
  data: Json<JsonObject>;
}

export const governanceMigrations: readonly Migration[] = [
  {
    name: '013-governance',
    sql: `
      create table aos.governance_documents (
        number bigint generated always as identity primary key,
        tenant_id text not null,
        kind text not null check (kind in ('raci', 'policy')),
        hash text not null,
        content json not null,
        written_by text not null,
        written_at timestamptz not null
      );
      create index governance_documents_newest on aos.governance_documents (tenant_id, kind, number);
      create table aos.governance_decisions (
        number bigint generated always as identity primary key,
        tenant_id text not null,
        run_id text,
        at timestamptz not null,
        data json not null
      );
      create index governance_decisions_time on aos.governance_decisions (tenant_id, at);
      create index run_events_decided on aos.run_events (tenant_id, at) where type = 'governance.decided';`,
  },
];
