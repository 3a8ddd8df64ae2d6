import type { Generated } from 'kysely';
import type { JsonObject } from '../../core/json.ts';
import type { Migration } from '../migration.ts';
import type { Json } from './column.ts';

/** A message that is to leave, or has left. Exactly one of delivered_at and dead_at is set when nothing more is tried. */
export interface OutboxTable {
  id: string;
  /** Order of writing. */
  number: Generated<string>;
  tenant_id: string;
  user_id: string;
  kind: string;
  /** Id of what it tells of. */
  subject: string;
  url: string;
  /** Scheme, host and port of the URL. */
  origin: string;
  headers: Json<JsonObject>;
  /** Exactly the bytes that are sent, and signed. */
  body: string;
  /** Of several messages of one key of a tenant the first counts. */
  dedupe_key: string;
  created_at: Date;
  attempts: Generated<number>;
  next_attempt_at: Date;
  /** While an attempt is under way: when other processes may take it for lost. */
  leased_until: Date | null;
  /** Who has that attempt under way; while its process lives it holds the lock of that name. */
  leased_by: string | null;
  delivered_at: Date | null;
  dead_at: Date | null;
  last_attempt_at: Date | null;
  last_status: number | null;
  last_error: string | null;
  /** Whether it is recorded in place of being sent. */
  simulation: Generated<boolean>;
}

export const outboxMigrations: readonly Migration[] = [
  {
    name: '007-outbox',
    sql: `
      create table aos.outbox (
        id text primary key,
        number bigint generated always as identity,
        tenant_id text not null,
        user_id text not null,
        kind text not null,
        subject text not null,
        url text not null,
        origin text not null,
        headers json not null,
        body text not null,
        dedupe_key text not null unique,
        created_at timestamptz not null,
        attempts integer not null default 0,
        next_attempt_at timestamptz not null,
        leased_until timestamptz,
        delivered_at timestamptz,
        dead_at timestamptz,
        last_attempt_at timestamptz,
        last_status integer,
        last_error text
      );
      create index outbox_due on aos.outbox (next_attempt_at) where delivered_at is null and dead_at is null;
      create index outbox_tenant on aos.outbox (tenant_id, number);`,
  },
  { name: '007b-outbox-leases', sql: 'alter table aos.outbox add column leased_by text' },
];
