/** What must hold of the log of any run, however often its execution was interrupted. */
import { expect } from 'vitest';
import type { RunEvent } from '../../src/runs/event.ts';

/** Checks numbering, the order within turns, the deltas against the output, and that progress never decreases. */
export function expectSoundLog(events: readonly RunEvent[]): void {
  expect(events.map((event) => event.seq)).toEqual(events.map((_, index) => index + 1));
  const turns = new Set(events.flatMap((event) => ('turn' in event.data ? [event.data.turn] : [])));
  for (const turn of turns) expectSoundTurn(events, turn);
  const shares = events.flatMap((event) =>
    (event.type === 'turn.completed' || event.type === 'turn.failed') && event.data.progress !== undefined
      ? [event.data.progress]
      : [],
  );
  expect(shares).toEqual([...shares].sort((a, b) => a - b));
}

function expectSoundTurn(events: readonly RunEvent[], turn: string): void {
  const own = events.filter((event) => 'turn' in event.data && event.data.turn === turn);
  const types = own.map((event) => event.type);
  expect(types[0], turn).toBe('turn.started');
  expect(
    types.filter((type) => type === 'turn.started'),
    turn,
  ).toHaveLength(1);
  const ends = types.filter((type) => type === 'turn.completed' || type === 'turn.failed');
  expect(ends.length, turn).toBeLessThanOrEqual(1);
  if (ends.length === 1) expect(types.at(-1), turn).toBe(ends[0]);
  let text = '';
  for (const event of own) {
    if (event.type === 'turn.restarted') text = '';
    if (event.type === 'turn.delta') {
      expect(event.data.offset, `${turn}: a gap or a repeat`).toBe(text.length);
      expect(event.data.text, turn).not.toBe('');
      text += event.data.text;
    }
    if (event.type === 'turn.completed') expect(text, turn).toBe(event.data.output);
  }
}
