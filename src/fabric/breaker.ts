/**
 * A circuit breaker: after several failures close together a plane is left alone for a while, then one call may try.
 *
 * Our own, because the libraries for it keep their time with timers and the system's clock, which tests and the
 * simulation could not move, and bring retry loops that nothing here may have.
 */
import type { Clock } from '../core/clock.ts';

export interface BreakerOptions {
  /** So many failures … By default 5. */
  readonly failures?: number;
  /** … within so long open the circuit. By default 60 s. */
  readonly windowMs?: number;
  /** For so long; then one call may probe. By default 30 s. */
  readonly openMs?: number;
}

export type Circuit = 'closed' | 'open' | 'half_open';

export interface Breaker {
  circuit(): Circuit;
  /**
   * Whether a call may go now; a probe of a half-open circuit goes alone. Every call that may go must say how it went.
   */
  admit(): boolean;
  succeeded(): void;
  /** The target failed, in a way that says something about how it is. */
  failed(): void;
  /** The call ended without saying anything about the target. */
  abstained(): void;
  /** When a probe may go, in milliseconds from now; 0 unless it is open. */
  opensInMs(): number;
}

export function createBreaker(clock: Pick<Clock, 'monotonic'>, options: BreakerOptions = {}): Breaker {
  const { failures = 5, windowMs = 60_000, openMs = 30_000 } = options;
  let recent: number[] = [];
  let openedAt: number | undefined;
  let probing = false;

  const restMs = () => (openedAt === undefined ? 0 : Math.max(0, openedAt + openMs - clock.monotonic()));
  function circuit(): Circuit {
    if (openedAt === undefined) return 'closed';
    return restMs() > 0 ? 'open' : 'half_open';
  }
  function open(): void {
    openedAt = clock.monotonic();
    recent = [];
    probing = false;
  }

  return {
    circuit,
    opensInMs: restMs,
    admit() {
      switch (circuit()) {
        case 'closed':
          return true;
        case 'open':
          return false;
        case 'half_open':
          if (probing) return false;
          probing = true;
          return true;
      }
    },
    succeeded() {
      // A call that began before the circuit opened says nothing about now.
      if (openedAt !== undefined && !probing) return;
      openedAt = undefined;
      probing = false;
      recent = [];
    },
    failed() {
      if (openedAt !== undefined) {
        if (probing) open();
        return;
      }
      const now = clock.monotonic();
      recent = [...recent.filter((at) => now - at < windowMs), now];
      if (recent.length >= failures) open();
    },
    abstained() {
      probing = false;
    },
  };
}
