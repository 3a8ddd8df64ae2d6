import { describe, expect, it } from 'vitest';
import { type BatchLimits, createBatch } from '../../src/telemetry/batch.ts';
import { ManualClock } from '../support/manual-clock.ts';

const limits: BatchLimits = { queue: 6, batch: 3, delayMs: 1_000 };

function start(more: Partial<BatchLimits> = {}) {
  const clock = new ManualClock();
  const sent: string[] = [];
  const lost: [number, unknown][] = [];
  const waiting: { resolve: () => void; reject: (reason: unknown) => void }[] = [];
  const batch = createBatch<string>({
    send: (items) => {
      sent.push(items.join(''));
      return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
    },
    onSent: () => {},
    onLost: (count, reason) => lost.push([count, reason]),
    clock,
    limits: { ...limits, ...more },
  });
  const add = (items: string) => {
    for (const item of items) batch.add(item);
  };
  const settle = async (reason?: string) => {
    const next = waiting.shift();
    if (reason === undefined) next?.resolve();
    else next?.reject(reason);
    await turn();
  };
  return { clock, sent, lost, batch, add, settle };
}

/** Lets everything that is ready run. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('a batch', () => {
  it('never sends from within add, and sends a full batch without waiting for the delay', async () => {
    const { clock, sent, add } = start();
    add('abc');
    expect(sent).toEqual([]);
    await clock.advance(0);
    expect(sent).toEqual(['abc']);
  });

  it('sends one that is not full after the delay', async () => {
    const { clock, sent, add } = start();
    add('a');
    await clock.advance(999);
    expect(sent).toEqual([]);
    await clock.advance(1);
    expect(sent).toEqual(['a']);
  });

  it('has one batch under way at a time, and goes on with the rest after it', async () => {
    const { clock, sent, add, settle } = start();
    add('abcd');
    await clock.advance(0);
    add('ef');
    expect(sent).toEqual(['abc']);
    await settle();
    expect(sent).toEqual(['abc', 'def']);
  });

  it('leaves what does not fill a batch for the delay', async () => {
    const { clock, sent, add, settle } = start();
    add('abc');
    await clock.advance(0);
    add('d');
    await settle();
    expect(sent).toEqual(['abc']);
    await clock.advance(1_000);
    expect(sent).toEqual(['abc', 'd']);
  });

  it('drops what finds the queue full, and says how much with the next loss', async () => {
    const { clock, sent, lost, add, settle } = start();
    add('abcdefgh');
    await clock.advance(0);
    await settle('dead');
    await settle('dead');
    expect(sent).toEqual(['abc', 'def']);
    expect(lost).toEqual([
      [5, 'dead'],
      [3, 'dead'],
    ]);
  });

  it('says what it dropped also when the receiver merely is too slow', async () => {
    const { clock, lost, add, settle } = start();
    add('abcdefgh');
    await clock.advance(0);
    await settle();
    expect(lost).toEqual([[2, new Error('more came than could be sent')]]);
  });

  it('drains what was added before the call, not what comes later', async () => {
    const { sent, batch, add, settle } = start();
    add('ab');
    let drained = false;
    const done = batch.drain().then(() => {
      drained = true;
    });
    add('cd');
    expect(sent).toEqual(['ab']);
    await settle();
    expect(drained).toBe(true);
    await done;
    expect(sent).toEqual(['ab']);
  });

  it('counts what is under way as not yet drained, and a lost batch as drained', async () => {
    const { clock, batch, add, settle } = start();
    add('abc');
    await clock.advance(0);
    let drained = false;
    void batch.drain().then(() => {
      drained = true;
    });
    await turn();
    expect(drained).toBe(false);
    await settle('dead');
    expect(drained).toBe(true);
  });

  it('drains at once when there is nothing', async () => {
    const { sent, batch } = start();
    await batch.drain();
    expect(sent).toEqual([]);
  });

  it('lets every drain go when it is closed, and sends nothing more', async () => {
    const { clock, sent, batch, add } = start();
    add('ab');
    const stuck = batch.drain();
    add('c');
    batch.close();
    await stuck;
    add('d');
    await batch.drain();
    await clock.advance(10_000);
    expect(sent).toEqual(['ab']);
  });
});
