/**
 * Keys for programs. The server knows only their SHA-256, so that the file of keys is no secret; keys are random and
 * long, so that a plain hash is enough.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { AosError } from '../core/errors.ts';
import { newSecret } from '../core/ids.ts';
import { parseJsonText } from '../core/json-text.ts';
import { checkSchema } from '../core/schema-check.ts';
import { roles as allRoles, type Roles, sortRoles } from './access.ts';
import { ANY_TENANT, isTenantId } from './tenant-choice.ts';

export interface ApiKey extends Roles {
  readonly name: string;
  readonly userId: string;
  readonly tenant: string;
  /** Which others it may choose; `*`: all. */
  readonly otherTenants: readonly string[];
  readonly digest: Uint8Array;
}

const tenantName = z.string().refine(isTenantId, { error: 'must be 1 to 128 of the characters A-Z a-z 0-9 . _ : -' });
const record = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9._-]{1,64}$/, { error: 'must be 1 to 64 of the characters A-Z a-z 0-9 . _ -' }),
  sha256: z.string().regex(/^[0-9a-fA-F]{64}$/, { error: 'must be the SHA-256 of the key, 64 hex digits' }),
  tenant: tenantName.default('default'),
  tenants: z.array(z.literal(ANY_TENANT).or(tenantName)).default([]),
  user: z.string().trim().min(1).max(256).optional(),
  roles: z.array(z.string()).min(1),
});
const file = z.object({ keys: z.array(record) });

/**
 * Reads a file of keys: a list, or an object with `keys`.
 * @param where how the sentences call it, e.g. `AOS_API_KEYS_FILE`
 * @throws AosError invalid_request naming what is wrong with it
 */
export function readApiKeys(text: string, where: string): readonly ApiKey[] {
  const value = parseJsonText(text, where);
  const { keys } = checkSchema(file, Array.isArray(value) ? { keys: value } : value, where);
  const names = new Set<string>();
  return keys.map(({ name, sha256, tenant, tenants, user, roles: words }) => {
    if (names.has(name)) throw new AosError('invalid_request', `${where} has two keys with the name "${name}"`);
    names.add(name);
    const sorted = sortRoles(words);
    const understood = [...sorted.roles, ...sorted.scopes];
    const strange = words.find((word) => !understood.some((known) => known === word.trim().toLowerCase()));
    if (strange !== undefined) {
      throw new AosError(
        'invalid_request',
        `${where} gives the key "${name}" the role "${strange.slice(0, 40)}", which there is not; there are ${allRoles.join(', ')}`,
      );
    }
    const digest = Buffer.from(sha256, 'hex');
    return { ...sorted, name, userId: user ?? `key:${name}`, tenant, otherTenants: tenants, digest };
  });
}

/** The key that was presented; every known one is compared, in a time that says nothing. */
export function findApiKey(keys: readonly ApiKey[], presented: string): ApiKey | undefined {
  const digest = createHash('sha256').update(presented).digest();
  let found: ApiKey | undefined;
  for (const key of keys) if (timingSafeEqual(key.digest, digest)) found = key;
  return found;
}

export interface NewApiKey {
  /** Shown once, kept by nobody here. */
  readonly key: string;
  /** What belongs into the file of keys. */
  readonly record: z.input<typeof record>;
}

/**
 * Makes a key.
 * @throws AosError invalid_request when the record could not be read again
 */
export function makeApiKey(asked: Omit<z.input<typeof record>, 'sha256'>): NewApiKey {
  const key = `aos_${newSecret(32)}`;
  const made = { ...asked, sha256: createHash('sha256').update(key).digest('hex') };
  readApiKeys(JSON.stringify([made]), 'the new key');
  return { key, record: made };
}
