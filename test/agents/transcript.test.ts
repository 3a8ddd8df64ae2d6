import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createTranscript, recordedText } from '../../src/agents/transcript.ts';
import type { NewRunEvent, RunEvent } from '../../src/runs/event.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { testEvent } from '../support/run-event.ts';

const TURN = 'round-1/ceo';

/** A log with keys, and transcripts on it. */
function logbook() {
  const events: RunEvent[] = [];
  const keys = new Set<string>();
  const clock = new ManualClock();
  const emit = async (key: string, event: NewRunEvent) => {
    if (keys.has(key)) return;
    keys.add(key);
    events.push(testEvent(event.type, event.data, { key, seq: events.length + 1 }));
  };
  const open = (write = emit, time = clock) =>
    createTranscript({ turn: TURN, agentId: 'ceo', recorded: recordedText(events, TURN), emit: write, clock: time });
  const deltas = () => events.flatMap((event) => (event.type === 'turn.delta' ? [event.data.text] : []));
  return { events, clock, emit, open, deltas };
}

describe('a transcript', () => {
  it('writes the first words at once and the others in batches of 80 ms', async () => {
    const { open, clock, deltas } = logbook();
    const transcript = open();
    for (const word of ['a', 'b', 'c', 'd', 'e']) {
      transcript.write(word);
      await clock.advance(30);
    }
    expect(deltas()).toEqual(['a', 'bc']);
    expect(await transcript.end()).toBe('abcde');
    expect(deltas().join('')).toBe('abcde');
    expect(clock.armed).toBe(0);
  });

  it('never writes half a character', async () => {
    const { open, clock, deltas } = logbook();
    const transcript = open();
    transcript.write('a\ud83d');
    await clock.advance(100);
    expect(deltas()).toEqual(['a']);
    transcript.write('\ude00b');
    await transcript.end();
    expect(deltas()).toEqual(['a', '😀b']);
  });

  it('writes nothing again that agrees with what is there, and goes on behind it', async () => {
    const { open, events } = logbook();
    const first = open();
    first.write('one two ');
    await first.end();
    const second = open();
    for (const piece of ['one', ' t', 'wo th', 'ree']) second.write(piece);
    await second.end();
    expect(events.map((event) => event.data)).toMatchObject([
      { offset: 0, text: 'one two ' },
      { offset: 8, text: 'three' },
    ]);
  });

  it.each([
    ['says something else', 'one two three', 'one 2'],
    ['ends earlier', 'one two', 'one'],
  ])('voids what is there when the turn %s now', async (_what, before, now) => {
    const { open, events } = logbook();
    const first = open();
    first.write(before);
    await first.end();
    const second = open();
    second.write(now);
    await second.end();
    expect(events.map((event) => event.type)).toEqual(['turn.delta', 'turn.restarted', 'turn.delta']);
    expect(events.at(-1)?.data).toMatchObject({ offset: 0, text: now });
  });

  it('passes on a failed write, and writes nothing after it', async () => {
    const { open, clock } = logbook();
    const failed = new Error('the database is gone');
    const transcript = open(() => Promise.reject(failed));
    transcript.write('a');
    await clock.advance(1);
    expect(() => transcript.write('b')).toThrow(failed);
    await expect(transcript.end()).rejects.toBe(failed);
  });

  it('is silent once it is abandoned', async () => {
    const { open, clock, deltas } = logbook();
    const transcript = open();
    transcript.write('a');
    await clock.advance(1);
    transcript.write('b');
    await transcript.abandon();
    await clock.advance(1000);
    expect(deltas()).toEqual(['a']);
  });

  it('leaves a sound text behind, however often and wherever executions broke off', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            pieces: fc.array(fc.constantFrom('a', 'b', 'ab', 'ba', '😀', 'aab'), { maxLength: 8 }),
            waits: fc.array(fc.nat(100), { maxLength: 8 }),
            survives: fc.nat(6),
          }),
          { minLength: 1, maxLength: 5 },
        ),
        async (executions) => {
          const { open, emit, events } = logbook();
          for (const [index, { pieces, waits, survives }] of executions.entries()) {
            const isLast = index === executions.length - 1;
            // Its own clock: the timers of a process die with it.
            const clock = new ManualClock();
            let writes = 0;
            // A process that dies at its n-th write: nothing comes back, and nothing is written any more.
            const transcript = open(
              (key, event) => (isLast || writes++ < survives ? emit(key, event) : new Promise(() => {})),
              clock,
            );
            for (const [at, piece] of pieces.entries()) {
              transcript.write(piece);
              await clock.advance(waits[at] ?? 0);
            }
            await clock.advance(0);
            if (isLast) expect(await transcript.end()).toBe(pieces.join(''));
          }
          expect(recordedText(events, TURN).text).toBe(executions.at(-1)?.pieces.join(''));
          let text = '';
          for (const event of events) {
            if (event.type === 'turn.restarted') text = '';
            if (event.type !== 'turn.delta') continue;
            expect(event.data.offset).toBe(text.length);
            text += event.data.text;
          }
        },
      ),
      { numRuns: 200 },
    ));
});
