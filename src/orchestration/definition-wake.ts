/**
 * At start: runs that wait for a version this build has are told to look again. Runs whose version is still missing are
 * left alone.
 */

import type { Engine } from '../engine/engine.ts';
import { runKey } from '../runs/run.ts';
import type { Database } from '../store/database.ts';
import { buildOf, missingIn } from './definition.ts';
import type { DefinitionStore } from './definition-store.ts';
import { patterns } from './patterns.ts';

export interface WakeParts {
  readonly database: Database;
  readonly definitions: Pick<DefinitionStore, 'find'>;
  readonly engine: Pick<Engine, 'signal'>;
  /** Version by name, of the tools there are. */
  readonly toolVersions?: Readonly<Record<string, string>>;
}

/** @returns the ids of the runs that were told */
export async function wakeRunsOfKnownDefinitions(parts: WakeParts): Promise<readonly string[]> {
  const { database, definitions, engine, toolVersions } = parts;
  const build = buildOf(Object.keys(patterns), toolVersions);
  const rows = await database.db
    .selectFrom('runs')
    .select(['tenant_id', 'id', 'definition'])
    .where('status', '=', 'waiting')
    .where('waiting_for', '=', 'definition')
    .execute();
  const woken: string[] = [];
  for (const { tenant_id: tenantId, id, definition: hash } of rows) {
    const definition = hash === null ? undefined : await definitions.find(hash);
    if (definition === undefined || missingIn(definition, build).length > 0) continue;
    await engine.signal(runKey(tenantId, id), { name: 'definition', payload: {}, actor: 'system' });
    woken.push(id);
  }
  return woken;
}
