import { expect, test } from 'vitest';
import type { JsonValue } from '../../src/core/json.ts';
import { startTestContainer } from '../support/container.ts';
import { createTestDatabase } from '../support/database.ts';
import { allEvents, BOARD_REVIEW, post, type SeenEvent } from '../support/invocations.ts';
import { type Death, Lineage } from './lineage.ts';

const STREAM = { accept: 'text/event-stream' };

/** What an event says apart from when it was and how long it took. */
function timeless(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(timeless);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).filter(([name]) => !/^at$|_at$|^duration_|^invocation_id$/.test(name));
  return Object.fromEntries(members.map(([name, member]) => [name, timeless(member)]));
}

/** The text of each turn as its deltas tell it. */
function spokenText(events: readonly SeenEvent[]): Map<JsonValue, string> {
  const spoken = new Map<JsonValue, string>();
  for (const event of events) {
    const turn = event['turn'] ?? '';
    if (event.type === 'turn.restarted') spoken.set(turn, '');
    if (event.type !== 'turn.delta') continue;
    const before = spoken.get(turn) ?? '';
    expect(event['offset']).toBe(before.length);
    spoken.set(turn, before + String(event['text']));
  }
  return spoken;
}

function completedTurns(events: readonly SeenEvent[]): Map<JsonValue, JsonValue> {
  const completed = events.filter(({ type }) => type === 'turn.completed');
  const turns = new Map(completed.map((event) => [event['turn'] ?? '', event['output'] ?? '']));
  expect(turns.size).toBe(completed.length);
  return turns;
}

test.each<Death['die']>(['after', 'before'])(
  'killed %s the commit of each event in turn, a board review goes on, and its follower sees every event once',
  async (die) => {
    const undisturbed = await (async () => {
      await using container = await startTestContainer();
      return await allEvents(post(`${container.url}/invocations`, BOARD_REVIEW, STREAM));
    })();

    await using lineage = new Lineage(await createTestDatabase());
    const { events, deaths } = await lineage.dieAtEveryEvent(die, BOARD_REVIEW);

    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
    expect(deaths, lineage.errors).toEqual(events.map(() => 'SIGKILL'));
    expect(timeless(events.at(-1) ?? null)).toEqual({
      ...Object(timeless(undisturbed.at(-1) ?? null)),
      seq: events.length,
    });
    expect(completedTurns(events)).toEqual(completedTurns(undisturbed));
    expect(spokenText(events)).toEqual(completedTurns(events));
  },
  300_000,
);
