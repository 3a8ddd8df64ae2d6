import type { Migration } from '../migration.ts';

export const appMigrations: readonly Migration[] = [];
