import type { JsonObject } from '../../core/json.ts';
import type { Migration } from '../migration.ts';
import type { Json } from './column.ts';

/**
 * What client programs keep here and read back: registrations, decisions, documents, risks. One row per thing, its
 * members as they were given; `collection` says what it is.
 */
export interface RecordTable {
  tenant_id: string;
  collection: string;
  id: string;
  data: Json<JsonObject>;
  created_at: Date;
  updated_at: Date;
}

/** A measurement that a client program reported. */
export interface MetricPointTable {
  tenant_id: string;
  name: string;
  at: Date;
  value: number;
  tags: Json<JsonObject>;
}

/** An answer that is given again when the same `Idempotency-Key` comes back. */
export interface IdempotentAnswerTable {
  tenant_id: string;
  user_id: string;
  route: string;
  key: string;
  /** SHA-256 of the path and the body it was first used with, hex. */
  request_hash: string;
  /** Null while the first call is under way. */
  status: number | null;
  location: string | null;
  body: string | null;
  created_at: Date;
}

/** Where the result of a run is to be sent once it has ended; gone when the message is in the outbox. */
export interface RunCallbackTable {
  run_id: string;
  url: string;
  /** Who wants it; the run's result goes to nobody but its caller. */
  tenant_id: string;
  user_id: string;
}

export const appMigrations: readonly Migration[] = [
  {
    name: '009-apps',
    sql: `
      create table aos.records (
        tenant_id text not null,
        collection text not null,
        id text not null,
        data json not null,
        created_at timestamptz not null,
        updated_at timestamptz not null,
        primary key (tenant_id, collection, id)
      );
      create index records_newest on aos.records (tenant_id, collection, created_at desc, id);

      create table aos.metric_points (
        tenant_id text not null,
        name text not null,
        at timestamptz not null,
        value double precision not null,
        tags json not null
      );
      create index metric_points_series on aos.metric_points (tenant_id, name, at);

      create table aos.idempotent_answers (
        tenant_id text not null,
        user_id text not null,
        route text not null,
        key text not null,
        request_hash text not null,
        status integer,
        location text,
        body text,
        created_at timestamptz not null,
        primary key (tenant_id, user_id, route, key)
      );
      create index idempotent_answers_age on aos.idempotent_answers (created_at);`,
  },
  {
    // Without a reference to the run: it is written before the run is, so that none can end without it.
    name: '009b-run-callbacks',
    sql: `
      create table aos.run_callbacks (
        run_id text not null,
        url text not null,
        tenant_id text not null,
        user_id text not null,
        primary key (run_id, url, tenant_id, user_id)
      );`,
  },
];
