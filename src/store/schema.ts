/**
 * The tables as kysely sees them, and the steps that made them: one file of `tables/` per area, put together here.
 * Everything lives in the PostgreSQL schema `aos`.
 */
import type { Migration } from './migration.ts';
import { appMigrations, type IdempotentAnswerTable, type MetricPointTable, type RecordTable } from './tables/app.ts';
import { approvalMigrations } from './tables/approval.ts';
import { definitionMigrations } from './tables/definition.ts';
import { jobMigrations } from './tables/job.ts';
import { outboxMigrations } from './tables/outbox.ts';
import { type RunEventTable, type RunTable, runMigrations } from './tables/run.ts';
import { type SessionMessageTable, sessionMigrations } from './tables/session.ts';
import {
  taskMigrations,
  type TaskLimitTable,
  type TaskSettingsTable,
  type TaskTable,
  type TaskTurnTable,
} from './tables/task.ts';

export interface Schema {
  runs: RunTable;
  run_events: RunEventTable;
  session_messages: SessionMessageTable;
  tasks: TaskTable;
  task_turns: TaskTurnTable;
  task_limits: TaskLimitTable;
  task_settings: TaskSettingsTable;
  records: RecordTable;
  metric_points: MetricPointTable;
  idempotent_answers: IdempotentAnswerTable;
}

/** Applied in the order of their names, each once. */
export const migrations: readonly Migration[] = [
  ...runMigrations,
  ...sessionMigrations,
  ...taskMigrations,
  ...jobMigrations,
  ...approvalMigrations,
  ...outboxMigrations,
  ...definitionMigrations,
  ...appMigrations,
].toSorted((one, other) => (one.name < other.name ? -1 : 1));
