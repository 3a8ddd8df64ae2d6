/**
 * How much of a run is done: finished turns over planned turns. Turns that end at the same time are written one after
 * the other, so that the shares in the log never decrease.
 */
import type { RunEvent } from '../runs/event.ts';

export interface Progress {
  /** Takes over the turns that executions before this one finished. */
  note(history: readonly RunEvent[]): void;
  /** Counts a turn as finished, whose end is in the log already. */
  count(turn: string): void;
  /** Counts a turn as finished and writes that with the share reached. */
  finish(turn: string, write: (share: number) => Promise<void>): Promise<void>;
}

export function createProgress(plannedTurns: number): Progress {
  const finished = new Set<string>();
  let writing: Promise<unknown> = Promise.resolve();
  return {
    note(history) {
      for (const event of history) {
        if (event.type === 'turn.completed' || event.type === 'turn.failed') finished.add(event.data.turn);
      }
    },
    count(turn) {
      finished.add(turn);
    },
    finish(turn, write) {
      const written = writing.then(() => {
        finished.add(turn);
        return write(Math.min(1, Math.round((finished.size / plannedTurns) * 1000) / 1000));
      });
      writing = written.catch(() => {});
      return written;
    },
  };
}
