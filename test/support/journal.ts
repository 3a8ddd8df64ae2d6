/**
 * What a process does is written into a file that outlives it, one JSON line each: calls of the model and of tools, and
 * how long it took from the start of the process until the first run was at work again.
 */
import { appendFileSync } from 'node:fs';
import { type Clock, systemClock } from '../../src/core/clock.ts';
import type { ActPerformer } from '../../src/runs/durable-act.ts';

export type JournalLine =
  | { readonly what: 'model' }
  | { readonly what: 'tool'; readonly name: string }
  /** Milliseconds: to load the code, and from then on to the first act of a run that another process had begun. */
  | { readonly what: 'resumed'; readonly loadMs: number; readonly resumeMs: number };

export interface Journal {
  /** By this pause before its first word the calls of the simulated model are known. */
  readonly firstTokenMs: number;
  readonly clock: Clock;
  acts(perform: ActPerformer): ActPerformer;
}

const FIRST_TOKEN_MS = 0.125;

/**
 * To be called when the process begins to serve.
 * @param loadMs how long it took to load; a process that was loaded ahead stood waiting since
 */
export function keepJournal(file: string | undefined, loadMs: number): Journal {
  if (file === undefined) return { firstTokenMs: 0, clock: systemClock, acts: (perform) => perform };
  const write = (line: JournalLine) => appendFileSync(file, `${JSON.stringify(line)}\n`);
  const serving = performance.now();
  const state = { taken: new Set<string>(), resumed: false };
  return {
    firstTokenMs: FIRST_TOKEN_MS,
    clock: {
      ...systemClock,
      sleep(ms, signal) {
        if (ms === FIRST_TOKEN_MS) write({ what: 'model' });
        return systemClock.sleep(ms, signal);
      },
    },
    acts: (perform) => async (act, work) => {
      if (act.kind === 'append' && act.name.endsWith(':called')) write({ what: 'tool', name: act.name });
      const done = await perform(act, (within) => {
        if (!state.resumed && state.taken.has(act.run) && act.kind !== 'claim') {
          state.resumed = true;
          write({ what: 'resumed', loadMs, resumeMs: performance.now() - serving });
        }
        return work(within);
      });
      const { epoch } = Object(done.value ?? {}) as { epoch?: number };
      if (act.kind === 'claim' && epoch !== undefined && epoch > 1) state.taken.add(act.run);
      return done;
    },
  };
}
