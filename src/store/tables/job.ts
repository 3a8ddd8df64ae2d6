import type { Migration } from '../migration.ts';

export const jobMigrations: readonly Migration[] = [];
