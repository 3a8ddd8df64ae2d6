/**
 * What the agents of a run without a result have said so far, read off its log: per agent the last words.
 */
import type { JsonObject } from '../core/json.ts';
import type { EventLog } from '../runs/event-log.ts';
import { keyOfRun, type Run } from '../runs/run.ts';

export type PartialResults = (run: Run) => Promise<JsonObject>;

const PAGE = 500;

export function createPartialResults(events: Pick<EventLog, 'of'>): PartialResults {
  return async (run) => {
    const results: { [agent: string]: JsonObject } = {};
    for (let after = 0; ; ) {
      const page = await events.of(run.caller.tenantId).read(keyOfRun(run), after, PAGE);
      for (const event of page) {
        if (event.type !== 'turn.completed') continue;
        const { agent_id: agent, output } = event.data;
        const turns = Number(results[agent]?.['turns'] ?? 0) + 1;
        results[agent] = { status: 'partial', output: { position: output }, turns };
      }
      const last = page.at(-1);
      if (last === undefined || page.length < PAGE) return results;
      after = last.seq;
    }
  };
}
