/**
 * Finds out who asks, in the one way that this server is set to (`AUTH_MODE`). Whoever cannot be told is refused; what
 * somebody may then do is judged elsewhere (`access.ts`).
 */
import type { Clock } from '../core/clock.ts';
import { DEFAULT_TENANT } from '../runs/run.ts';
import { type Rights, type Roles, rightsOf } from './access.ts';
import { type ApiKey, findApiKey } from './api-key.ts';
import { refuseForeignPages } from './local-origin.ts';
import { apiKeyOf, bearerOf, type Presented } from './presented.ts';
import type { Principal, Proof } from './principal.ts';
import { createProofCache } from './proof-cache.ts';
import { unauthenticated } from './refusal.ts';
import { chooseTenant, namedTenant } from './tenant-choice.ts';
import { type ClaimRules, type Holder, readHolder } from './token-claims.ts';
import type { TokenVerifier } from './token-verifier.ts';

export interface Authenticator {
  /**
   * @throws AosError unauthenticated, unavailable (it cannot be found out now), forbidden (a tenant that is not allowed),
   *   invalid_request (a tenant that cannot be one)
   */
  identify(presented: Presented): Promise<Principal>;
  /** Who asks for what is public: nobody looks at what was presented beyond what is believed anyway. */
  anonymous(presented: Presented): Principal;
}

const NOBODY: Roles = { roles: [], scopes: [] };
const EVERYBODY: Roles = { roles: ['admin'], scopes: [] };

/**
 * Nobody proves anything: the caller is who he says, and may everything.
 * @param options.localOnly whether only this machine is answered, and no pages of other sites that are looked at on it
 */
export function createOpenAuthenticator({ localOnly = false } = {}): Authenticator {
  const rights = rightsOf(EVERYBODY);
  const anonymous = ({ headers, userId, address }: Presented): Principal => {
    const tenantId = namedTenant(headers) ?? DEFAULT_TENANT;
    return { caller: { tenantId, userId }, ...EVERYBODY, rights, proof: 'none', expiresAt: undefined, address };
  };
  return {
    anonymous,
    async identify(presented) {
      if (localOnly) refuseForeignPages(presented.headers);
      return anonymous(presented);
    },
  };
}

export interface PlatformRules {
  /** What every user of the platform holds here. */
  readonly held: Roles;
  /** Users who are administrators besides. */
  readonly admins: readonly string[];
  /** The tenant of everybody: the platform has none that it tells. */
  readonly tenant: string;
}

/** The platform has authenticated the caller, and says who it was in headers that nobody else can send. */
export function createPlatformAuthenticator({ held, admins, tenant }: PlatformRules): Authenticator {
  const usual = { ...held, rights: rightsOf(held), proof: 'platform', expiresAt: undefined } as const;
  const admin: Roles = { ...held, roles: [...held.roles, 'admin'] };
  const raised = { ...usual, ...admin, rights: rightsOf(admin) };
  const principalOf = ({ headers, userId: named, address }: Presented): Principal => {
    // The name of container protocol 1.0.0 for the same.
    const userId = named || (headers.get('x-agent-user-isolation-key') ?? '');
    const isAdmin = userId !== '' && admins.includes(userId);
    return { ...(isAdmin ? raised : usual), caller: { tenantId: tenant, userId }, address };
  };
  return { anonymous: principalOf, identify: async (presented) => principalOf(presented) };
}

export interface TokenParts {
  readonly verify: TokenVerifier;
  readonly rules: ClaimRules;
  readonly clock: Clock;
}

export function createTokenAuthenticator({ verify, rules, clock }: TokenParts): Authenticator {
  const cache = createProofCache({ clock });
  const rightsByHolder = new WeakMap<Holder, Rights>();
  return {
    anonymous: anonymousOf,
    async identify(presented) {
      const token = bearerOf(presented);
      if (token === undefined) {
        throw unauthenticated(
          'missing',
          'Nobody is known to ask: send "Authorization: Bearer <token>", or x-client-authorization through the platform.',
        );
      }
      const holder = await cache.holderOf(token, async () => readHolder(await verify(token), rules));
      const rights = rightsByHolder.get(holder) ?? rightsOf(holder);
      rightsByHolder.set(holder, rights);
      const caller = { tenantId: chooseTenant(presented.headers, holder.tenant), userId: holder.userId };
      return proved('jwt', { caller, held: holder, rights, expiresAt: holder.expiresAt }, presented);
    },
  };
}

/** @param keys read anew for each call, so that a file that changes counts */
export function createKeyAuthenticator({ keys }: { readonly keys: () => readonly ApiKey[] }): Authenticator {
  return {
    anonymous: anonymousOf,
    async identify(presented) {
      const given = apiKeyOf(presented);
      if (given === undefined) {
        throw unauthenticated('missing', 'Nobody is known to ask: send your key in the header x-api-key.');
      }
      const key = findApiKey(keys(), given);
      if (key === undefined) throw unauthenticated('unknown_key', 'This API key is not known here.');
      const { tenant: own, otherTenants: others, userId } = key;
      const caller = { tenantId: chooseTenant(presented.headers, { own, others }), userId };
      return proved('api-key', { caller, held: key, rights: rightsOf(key), expiresAt: undefined }, presented);
    },
  };
}

interface Known extends Pick<Principal, 'caller' | 'rights' | 'expiresAt'> {
  readonly held: Roles;
}

function proved(proof: Proof, { caller, held, rights, expiresAt }: Known, { address }: Presented): Principal {
  return { caller, roles: held.roles, scopes: held.scopes, rights, proof, expiresAt, address };
}

/** No tenant can be called so: those whom nobody knows have nothing. */
const NO_TENANT = '~';

function anonymousOf({ address }: Presented): Principal {
  const caller = { tenantId: NO_TENANT, userId: '' };
  return { caller, ...NOBODY, rights: new Map(), proof: 'none', expiresAt: undefined, address };
}
