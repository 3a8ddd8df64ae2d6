/** Where the data is, and how the database keeps tenants apart. */
import { isAbsolute, join, resolve } from 'node:path';
import { z } from 'zod';
import type { RowSecurity } from '../store/database.ts';
import { type Fault, inAnyCase, text, type Variables } from './value.ts';

const postgresUrl = z.url({
  protocol: /^postgres(ql)?$/,
  error: 'a PostgreSQL address such as postgres://user:password@host:5432/database',
});
const rowSecurity = z.enum(['required', 'off'] satisfies RowSecurity[], { error: 'required or off' });

export const storageVariables = {
  HOME: text.optional(),
  AOS_DATA_DIR: text.optional(),
  AOS_DATABASE_URL: postgresUrl.optional(),
  AOS_ROW_SECURITY: inAnyCase(rowSecurity).optional(),
};
export type StorageVariables = Variables<typeof storageVariables>;

export interface StorageConfig {
  /** Whether the database itself keeps tenants apart, or only the conditions of our statements do. */
  readonly rowSecurity: RowSecurity;
}

export const storageDefaults: StorageConfig = { rowSecurity: 'required' };

export function readStorage(variables: StorageVariables): StorageConfig {
  return { rowSecurity: variables.AOS_ROW_SECURITY ?? storageDefaults.rowSecurity };
}

/** The folder that keeps what must survive the container, as an absolute path. */
export function readDataDir(variables: StorageVariables, workingDirectory: string, fault: Fault): string | undefined {
  if (variables.AOS_DATA_DIR !== undefined) return resolve(workingDirectory, variables.AOS_DATA_DIR);
  if (variables.HOME !== undefined && isAbsolute(variables.HOME)) return join(variables.HOME, '.aos');
  return fault('AOS_DATA_DIR must name the folder to keep data in, because there is no HOME to put .aos into');
}
