import type { Migration } from '../migration.ts';

export const outboxMigrations: readonly Migration[] = [];
