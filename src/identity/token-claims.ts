/**
 * What the claims of a verified token say about who holds it: in the shape of Entra ID v2 (`tid`, `oid`, `scp`, `roles`)
 * or the generic one (`sub` or `user_id`, `tenant_id`, `scope`). Verifying is not done here.
 */
import { type Roles, sortRoles } from './access.ts';
import { unauthenticated } from './refusal.ts';
import { ANY_TENANT, isTenantId } from './tenant-choice.ts';

export type Claims = Readonly<Record<string, unknown>>;

export interface ClaimRules {
  /** Directory ids whose tokens are taken, in small letters; undefined: the tokens are not Entra's. */
  readonly entraTenants: readonly string[] | undefined;
  /** The tenant of everybody, whatever tokens say. */
  readonly tenant: string | undefined;
}

export interface Holder extends Roles {
  readonly userId: string;
  readonly tenant: { readonly own: string | undefined; readonly others: readonly string[] };
  /** Epoch milliseconds. */
  readonly expiresAt: number;
}

const MAX_USER_LENGTH = 256;

/** @throws AosError unauthenticated when the claims name nobody who can be let in */
export function readHolder(claims: Claims, rules: ClaimRules): Holder {
  const held = sortRoles([
    ...wordsOf(claims['roles']),
    ...wordsOf(claims['role']),
    ...wordsOf(claims['scp']),
    ...wordsOf(claims['scope']),
    ...wordsOf(claims['scopes']),
  ]);
  const { userId, tenantId } = rules.entraTenants === undefined ? generic(claims) : entra(claims, rules.entraTenants);
  return {
    ...held,
    userId: checkUser(userId),
    tenant: tenantOf(claims, rules.tenant ?? tenantId, held),
    expiresAt: Number(claims['exp']) * 1000,
  };
}

/** The person is `tid` with `oid`: names and mail addresses change and are given again. */
function entra(claims: Claims, allowed: readonly string[]) {
  const [tid, oid] = [text(claims['tid'])?.toLowerCase(), text(claims['oid'])?.toLowerCase()];
  if (tid === undefined || oid === undefined) {
    throw unauthenticated('claims', 'The token has no "tid" or no "oid": it must be an access token of Entra ID v2.');
  }
  if (!allowed.includes(tid)) {
    throw unauthenticated('tenant', 'The token comes from a directory that is not allowed here.');
  }
  return { userId: `${tid}.${oid}`, tenantId: tid };
}

function generic(claims: Claims) {
  return { userId: text(claims['sub']) ?? text(claims['user_id']), tenantId: text(claims['tenant_id']) };
}

function checkUser(userId: string | undefined): string {
  if (userId !== undefined && userId.length <= MAX_USER_LENGTH && !/\p{Cc}/u.test(userId)) return userId;
  throw unauthenticated(
    'claims',
    `The token names no user: it needs a "sub" of at most ${MAX_USER_LENGTH} characters.`,
  );
}

function tenantOf(claims: Claims, own: string | undefined, { roles }: Roles): Holder['tenant'] {
  const listed = wordsOf(claims['tenants']);
  if (own !== undefined && !isTenantId(own)) {
    throw unauthenticated('claims', 'The token names a tenant that cannot be one: 1 to 128 of A-Z a-z 0-9 . _ : -');
  }
  if (own !== undefined || listed.length > 0) {
    const [first] = listed.filter(isTenantId);
    return { own: own ?? first, others: listed };
  }
  // An administrator without a tenant of his own is the server's.
  if (roles.includes('admin')) return { own: undefined, others: [ANY_TENANT] };
  throw unauthenticated('claims', 'The token names no tenant: it needs a "tenant_id".');
}

/** Words of a claim: a list, or a text with blanks between. */
function wordsOf(claim: unknown): string[] {
  if (typeof claim === 'string') return claim.split(/[\s,]+/).filter((word) => word !== '');
  return Array.isArray(claim) ? claim.filter((word) => typeof word === 'string' && word !== '') : [];
}

function text(claim: unknown): string | undefined {
  const trimmed = typeof claim === 'string' ? claim.trim() : '';
  return trimmed === '' ? undefined : trimmed;
}
