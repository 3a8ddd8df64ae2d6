/**
 * People in entries. An entry never says a name: it has a reference, the HMAC of the name under a salt of that person's
 * own. Name and salt are kept beside the log; they prove who is meant. Once they are deleted nobody can tell any more,
 * and the log is what it was.
 */
import { createHmac } from 'node:crypto';
import { sql } from 'kysely';
import { newHexId } from '../../core/ids.ts';
import { canonicalJson } from '../../core/json.ts';
import type { StoreScope } from '../../store/database.ts';

const SALT_BYTES = 32;

/** What proves who is behind a reference. */
export interface Person {
  readonly reference: string;
  readonly name: string;
  /** Hex. */
  readonly salt: string;
}

export function referenceOf(tenantId: string, name: string, salt: string): string {
  const hash = createHmac('sha256', Buffer.from(salt, 'hex'))
    .update(canonicalJson([tenantId, name]))
    .digest('hex');
  return `person:${hash}`;
}

/** The references of people by their names; made for those who have none. */
export async function refer(within: StoreScope, tenantId: string, names: Iterable<string>) {
  const wanted = [...new Set(names)];
  const references = new Map<string, string>();
  if (wanted.length === 0) return references;
  const known = await within
    .selectFrom('audit_people')
    .select(['name', 'reference'])
    .where('tenant_id', '=', tenantId)
    .where('name', 'in', wanted)
    .execute();
  for (const { name, reference } of known) references.set(name, reference);
  const missing = wanted
    .filter((name) => !references.has(name))
    .map((name) => {
      const salt = newHexId(SALT_BYTES);
      return { tenant_id: tenantId, name, salt, reference: referenceOf(tenantId, name, salt) };
    });
  if (missing.length > 0) await within.insertInto('audit_people').values(missing).execute();
  for (const { name, reference } of missing) references.set(name, reference);
  return references;
}

/** Those of the references whose people are not forgotten. */
export async function recall(within: StoreScope, tenantId: string, references: Iterable<string>): Promise<Person[]> {
  const wanted = [...new Set(references)];
  if (wanted.length === 0) return [];
  return within
    .selectFrom('audit_people')
    .select(['reference', 'name', 'salt'])
    .where('tenant_id', '=', tenantId)
    .where('reference', '=', sql<string>`any(${wanted}::text[])`)
    .execute();
}

/** Forgets who is behind a reference. @returns whether anybody of that name was known */
export async function forget(within: StoreScope, tenantId: string, name: string): Promise<boolean> {
  const { numDeletedRows } = await within
    .deleteFrom('audit_people')
    .where('tenant_id', '=', tenantId)
    .where('name', '=', name)
    .executeTakeFirst();
  return numDeletedRows > 0n;
}
