/**
 * The entrance that every door has: who asks is found out, then whether he may. What else is to be asked of every call,
 * whatever the door, belongs into `admit`.
 */
import { AosError } from '../core/errors.ts';
import { allows, isAdministrator, type Need, rightMissing } from './access.ts';
import type { Authenticator } from './authenticator.ts';
import type { Presented } from './presented.ts';
import { isProved, type Principal } from './principal.ts';

export interface Entrance {
  /**
   * Who asks.
   * @throws AosError unauthenticated, unavailable, forbidden, invalid_request
   */
  identify(presented: Presented): Promise<Principal>;
  /**
   * Lets him in to something; on a WebSocket and inside an envelope once for everything that is asked for.
   * @throws AosError forbidden when his rights do not reach
   */
  admit(principal: Principal, need: Need): Promise<void>;
  /** Both, for doors that know at once what is asked for. What is public is open to those nobody knows. */
  enter(presented: Presented, need: Need): Promise<Principal>;
}

/** Somebody was not let in. */
export interface Refusal {
  readonly address: string;
  /** A word for the audit log. */
  readonly why: string;
  /** Undefined when nobody is known. */
  readonly principal: Principal | undefined;
  /** What he wanted; undefined when he did not come so far. */
  readonly need: Need | undefined;
}

export interface EntranceParts {
  readonly authenticator: Authenticator;
  /** Is told of everybody who is not let in; must not throw. */
  readonly onRefused?: (refusal: Refusal) => void;
}

export function createEntrance({ authenticator, onRefused = () => {} }: EntranceParts): Entrance {
  async function identify(presented: Presented): Promise<Principal> {
    try {
      return overseeing(await authenticator.identify(presented));
    } catch (thrown) {
      if (thrown instanceof AosError && (thrown.status === 401 || thrown.status === 403)) {
        const why = String(thrown.facts['why'] ?? thrown.reason ?? thrown.code);
        onRefused({ address: presented.address, why: why.toLowerCase(), principal: undefined, need: undefined });
      }
      throw thrown;
    }
  }

  async function admit(principal: Principal, need: Need): Promise<void> {
    if (allows(principal.rights, need)) return;
    onRefused({ address: principal.address, why: 'right_missing', principal, need });
    throw rightMissing(need, principal);
  }

  return {
    identify,
    admit,
    async enter(presented, need) {
      const principal = need.access === 'public' ? authenticator.anonymous(presented) : await identify(presented);
      await admit(principal, need);
      return principal;
    },
  };
}

/** An administrator whose name is proved is the operator of the tenant; with `off`, whoever names no user is. */
function overseeing(principal: Principal): Principal {
  if (!isProved(principal) || !isAdministrator(principal.rights)) return principal;
  return { ...principal, caller: { ...principal.caller, oversees: true } };
}
