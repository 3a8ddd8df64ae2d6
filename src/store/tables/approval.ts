import type { Migration } from '../migration.ts';

export const approvalMigrations: readonly Migration[] = [];
