import type { JsonObject } from '../../core/json.ts';
import type { Migration } from '../migration.ts';
import type { Json } from './column.ts';

/** What runs are pinned to, under the hash of its content: written once, never changed. */
export interface DefinitionTable {
  /** SHA-256 of the canonical JSON, hex. */
  hash: string;
  content: Json<JsonObject>;
  created_at: Date;
}

export const definitionMigrations: readonly Migration[] = [
  {
    name: '008-definitions',
    sql: `
      create table aos.definitions (
        hash text primary key,
        content json not null,
        created_at timestamptz not null
      );`,
  },
];
