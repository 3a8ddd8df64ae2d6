import type { JsonValue } from '../../core/json.ts';
import type { Migration } from '../migration.ts';
import type { Json } from './column.ts';

/** One message of a session's conversation; `seq` counts 1, 2, 3 … within the session of a user. */
export interface SessionMessageTable {
  user_id: string;
  session_id: string;
  seq: number;
  run_id: string;
  role: string;
  content: Json<JsonValue>;
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
];
