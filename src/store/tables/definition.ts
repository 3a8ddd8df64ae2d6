import type { Migration } from '../migration.ts';

export const definitionMigrations: readonly Migration[] = [];
