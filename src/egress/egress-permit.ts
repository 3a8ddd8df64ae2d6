/**
 * Permits for single connections. Code that has checked an address itself (a guarded request, the client of a plane)
 * opens its connection inside a permit for exactly that address; the guard of the process lets it through and everything
 * beside it stays refused.
 */
import { AsyncLocalStorage } from 'node:async_hooks';

export interface EgressPermit {
  /** What asks, for the log: `request`, `plane`. */
  readonly part: string;
  /** As it is asked for: a name or an address. */
  readonly host: string;
  readonly port: number;
  /** The only addresses that the connection may go to; any that the host has when left out. */
  readonly addresses?: readonly string[];
}

const permits = new AsyncLocalStorage<EgressPermit>();

/** Runs `work`, and all that it starts, with a permit to connect there. */
export function withEgressPermit<Result>(permit: EgressPermit, work: () => Result): Result {
  return permits.run(permit, work);
}

export function currentEgressPermit(): EgressPermit | undefined {
  return permits.getStore();
}
