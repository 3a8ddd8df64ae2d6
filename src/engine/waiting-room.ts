/**
 * The waits of one execution. The database decides which of them are over; it is asked when a wait begins, when a signal
 * may have come, when the time of one has passed, and when nothing else of the run is under way any more: then it also
 * lets the run go, unless a wait is over after all.
 */
import { afterTurn, type Clock, type Timer } from '../core/clock.ts';
import { asError } from '../core/errors.ts';
import type { Log } from '../telemetry/log.ts';
import type { Wait } from './engine.ts';
import type { WaitVerdict } from './run-ledger.ts';
import type { StepOutcome } from './step.ts';

const MAX_TIMER_MS = 2_147_483_647;

export interface WaitingRoomParts {
  readonly clock: Clock;
  readonly log: Log;
  /** Gets the outcomes of the waits that are over. */
  readonly steps: Map<string, StepOutcome>;
  /** Whether something beside waits is under way. */
  readonly isBusy: () => boolean;
  /** Whether the execution has nothing to wait for any more. */
  readonly isOver: () => boolean;
  readonly look: (waits: readonly Wait[], park: boolean) => Promise<WaitVerdict>;
  readonly onParked: (wakeAt: number | undefined) => void;
  readonly onCancelled: () => void;
}

export interface WaitingRoom {
  /** Resolves when the wait is over and its outcome is among the steps; rejects when it is turned out. */
  wait(wait: Wait): Promise<void>;
  /** Something else has ended: only waits may be left. */
  consider(): void;
  /** A signal may have come. */
  news(): void;
  /** Whether there are waits under way. */
  readonly occupied: boolean;
  /** Ends all waits: the run is to end. */
  turnOut(reason: unknown): void;
  close(): void;
}

export function createWaitingRoom(parts: WaitingRoomParts): WaitingRoom {
  const { clock, steps, isBusy, isOver } = parts;
  const waiting = new Map<string, { wait: Wait; resolve: () => void; reject: (reason: unknown) => void }>();
  /** Whether the database may know something that we do not. */
  let unseen = false;
  let considering = false;
  let looking = false;
  let timer: Timer | undefined;

  /** Looks once everything that is ready to run in this process has run. */
  function consider(): void {
    if (considering || waiting.size === 0) return;
    considering = true;
    afterTurn(() => {
      considering = false;
      look().catch((failure: unknown) => {
        parts.log.error('the waits of a run could not be looked after', { error: asError(failure) });
        for (const { reject } of waiting.values()) reject(failure);
        waiting.clear();
      });
    });
  }

  async function look(): Promise<void> {
    const park = !isBusy();
    if (looking || waiting.size === 0 || isOver() || !(park || unseen)) return;
    looking = true;
    unseen = false;
    const verdict = await parts
      .look(
        [...waiting.values()].map(({ wait }) => wait),
        park,
      )
      .finally(() => {
        looking = false;
      });
    if (verdict.state === 'parked') return parts.onParked(verdict.wakeAt);
    if (verdict.state === 'cancelled') parts.onCancelled();
    if (verdict.state === 'ended') {
      for (const { name, outcome } of verdict.ended) {
        steps.set(name, outcome);
        waiting.get(name)?.resolve();
        waiting.delete(name);
      }
    }
    armTimer();
    if (verdict.state !== 'cancelled') consider();
  }

  /** While the run is in memory its waits end here when their time has come. */
  function armTimer(): void {
    timer?.cancel();
    timer = undefined;
    const untils = [...waiting.values()].flatMap(({ wait }) =>
      wait.until === undefined ? [] : [Date.parse(wait.until)],
    );
    if (untils.length === 0) return;
    const left = Math.max(0, Math.min(...untils) - clock.now());
    timer = clock.after(Math.min(left, MAX_TIMER_MS), news);
  }

  function news(): void {
    unseen = true;
    consider();
  }

  return {
    wait(wait) {
      return new Promise((resolve, reject) => {
        waiting.set(wait.name, { wait, resolve, reject });
        news();
      });
    },
    consider,
    news,
    get occupied() {
      return waiting.size > 0;
    },
    turnOut(reason) {
      for (const { reject } of waiting.values()) reject(reason);
      waiting.clear();
      timer?.cancel();
    },
    close() {
      timer?.cancel();
    },
  };
}
