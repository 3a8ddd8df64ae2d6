/** Definitions in the database, and the most used of them in memory: what is under a hash never changes. */
import { type Clock, isoTime } from '../core/clock.ts';
import type { Database } from '../store/database.ts';
import { contentOf, type Definition, definitionIn, hashOf } from './definition.ts';

export interface DefinitionStore {
  /** @returns the hash it is found by */
  store(definition: Definition): Promise<string>;
  find(hash: string): Promise<Definition | undefined>;
}

const MAX_IN_MEMORY = 500;

export function createDefinitionStore({ database, clock }: { database: Database; clock: Clock }): DefinitionStore {
  const { db } = database;
  const known = new Map<string, Definition>();

  function remember(hash: string, definition: Definition): void {
    known.set(hash, definition);
    const [oldest] = known.keys();
    if (known.size > MAX_IN_MEMORY && oldest !== undefined) known.delete(oldest);
  }

  return {
    async store(definition) {
      const content = contentOf(definition);
      const hash = hashOf(content);
      if (known.has(hash)) return hash;
      await db
        .insertInto('definitions')
        .values({ hash, content: JSON.stringify(content), created_at: new Date(isoTime(clock.now())) })
        .onConflict((conflict) => conflict.column('hash').doNothing())
        .execute();
      remember(hash, definitionIn(content));
      return hash;
    },
    async find(hash) {
      const there = known.get(hash);
      if (there !== undefined) return there;
      const row = await db.selectFrom('definitions').select('content').where('hash', '=', hash).executeTakeFirst();
      if (row === undefined) return undefined;
      const definition = definitionIn(row.content);
      remember(hash, definition);
      return definition;
    },
  };
}
