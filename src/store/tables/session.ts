import type { JsonValue } from '../../core/json.ts';
import type { Migration } from '../migration.ts';
import type { Json } from './column.ts';

/** One message of a session's conversation; `seq` counts 1, 2, 3 … within the session of a user. */
export interface SessionMessageTable {
  tenant_id: string;
  user_id: string;
  session_id: string;
  seq: number;
  run_id: string;
  role: string;
  content: Json<JsonValue>;
  created_at: Date;
}

/** A document of a session; `id` is made of the key it was added under. */
export interface SessionDocumentTable {
  tenant_id: string;
  user_id: string;
  session_id: string;
  id: string;
  title: Json<JsonValue>;
  content: Json<JsonValue>;
  characters: number;
  created_at: Date;
}

export const sessionMigrations: readonly Migration[] = [
  {
    name: '002-session-messages',
    sql: `
      create table aos.session_messages (
        user_id text not null,
        session_id text not null,
        seq integer not null,
        run_id text not null,
        role text not null,
        content json not null,
        created_at timestamptz not null,
        primary key (user_id, session_id, seq),
        unique (run_id, role)
      );`,
  },
  {
    name: '002b-session-documents',
    sql: `
      create table aos.session_documents (
        tenant_id text not null,
        user_id text not null,
        session_id text not null,
        id text not null,
        title json not null,
        content json not null,
        characters integer not null,
        created_at timestamptz not null,
        primary key (tenant_id, user_id, session_id, id)
      );`,
  },
  {
    name: '002c-session-tenants',
    sql: `
      alter table aos.session_messages add column tenant_id text not null default 'default';
      alter table aos.session_messages alter column tenant_id drop default;
      alter table aos.session_messages drop constraint session_messages_pkey;
      alter table aos.session_messages add primary key (tenant_id, user_id, session_id, seq);`,
  },
];
