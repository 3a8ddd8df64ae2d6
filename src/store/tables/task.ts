import type { Migration } from '../migration.ts';

export const taskMigrations: readonly Migration[] = [];
