/**
 * What an execution reads of its run's log. A program asks for the events of a turn before it begins it; in the first
 * execution of a run there can be none but those it wrote itself, so that most of these questions need no answer from
 * the database.
 */
import { isJsonObject, type JsonObject } from '../core/json.ts';
import type { RunEvent } from '../runs/event.ts';
import { referenceOf } from '../runs/event-encoding.ts';
import type { EventLog } from '../runs/event-log.ts';
import type { RunKey } from '../runs/run.ts';

export interface HistoryParts {
  readonly events: Pick<EventLog, 'read' | 'readTurn' | 'payload'>;
  readonly run: RunKey;
  /** Whether this is the first execution of the run. */
  readonly isFresh: boolean;
}

export interface History {
  /** The execution is about to write an event of this key. */
  note(key: string): void;
  read(filter?: { readonly turn: string }): Promise<readonly RunEvent[]>;
}

export function createHistory({ events, run, isFresh }: HistoryParts): History {
  /** Everything that a key written so far begins with, up to one of its colons. */
  const begun = new Set<string>();

  async function readAll(): Promise<readonly RunEvent[]> {
    const all: RunEvent[] = [];
    for (;;) {
      const page = await events.read(run, all.length);
      if (page.length === 0) return all;
      all.push(...page);
    }
  }

  /** The event with what was put beside the log back in its place. */
  async function whole(event: RunEvent): Promise<RunEvent> {
    const data: JsonObject = { ...(event.data as JsonObject) };
    let changed = false;
    for (const [name, value] of Object.entries(data)) {
      const digest = isJsonObject(value) ? referenceOf(value) : undefined;
      const body = digest === undefined ? undefined : await events.payload(run, digest);
      if (body === undefined) continue;
      data[name] = body;
      changed = true;
    }
    return changed ? ({ ...event, data } as RunEvent) : event;
  }

  return {
    note(key) {
      for (let end = key.indexOf(':'); end >= 0; end = key.indexOf(':', end + 1)) begun.add(key.slice(0, end));
    },
    async read(filter) {
      if (filter !== undefined && isFresh && !begun.has(filter.turn)) return [];
      const found = filter === undefined ? await readAll() : await events.readTurn(run, filter.turn);
      return Promise.all(found.map(whole));
    },
  };
}
