/**
 * Forgetting: ended runs that are older than the operator wants to keep are deleted, with all that belongs to them, and
 * messages that were delivered or given up, or sent from agent to agent, as long ago.
 */
import { type Clock, isoTime } from '../core/clock.ts';
import { asError } from '../core/errors.ts';
import type { Mail } from '../delegation/mail.ts';
import type { Outbox } from '../egress/outbox.ts';
import type { RunStore } from '../runs/run-store.ts';
import type { Log } from '../telemetry/log.ts';

const DAY_MS = 24 * 3600 * 1000;
const LOOK_MS = 3_600_000;

export interface RetentionParts {
  readonly runs: Pick<RunStore, 'prune'>;
  readonly outbox: Pick<Outbox, 'prune'>;
  readonly mail: Pick<Mail, 'prune'>;
  /** Undefined: everything is kept for ever. */
  readonly days: number | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Retention {
  start(): void;
  stop(): Promise<void>;
}

export function createRetention({ runs, outbox, mail, days, clock, log }: RetentionParts): Retention {
  let timer: { cancel(): void } | undefined;
  let underWay: Promise<void> = Promise.resolve();

  async function look(keptMs: number): Promise<void> {
    const before = isoTime(clock.now() - keptMs);
    const pruned = await runs.prune(before);
    await outbox.prune(before);
    await mail.prune(before);
    if (pruned > 0) log.info('ended runs were deleted for their age', { runs: pruned, before });
  }

  return {
    start() {
      if (days === undefined) return;
      const begin = () => {
        underWay = look(days * DAY_MS).catch((failure: unknown) =>
          log.warn('old runs could not be deleted', { error: asError(failure) }),
        );
      };
      timer = clock.every(LOOK_MS, begin);
      begin();
    },
    async stop() {
      timer?.cancel();
      await underWay;
    },
  };
}
