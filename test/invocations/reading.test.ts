import { describe, expect, test } from 'vitest';
import { startReading } from '../../src/invocations/reading.ts';
import { ManualClock } from '../support/manual-clock.ts';

const DRAIN_MS = 1000;

function start({ gone = false, stopping = false } = {}) {
  const clock = new ManualClock();
  const client = new AbortController();
  const server = new AbortController();
  if (gone) client.abort();
  if (stopping) server.abort();
  // The host fires the second signal in both cases.
  const interrupted = AbortSignal.any([client.signal, server.signal]);
  const reading = startReading(client.signal, interrupted, clock, DRAIN_MS);
  return { clock, client, server, reading, isOver: () => reading.signal.aborted };
}

describe('a reading', () => {
  test('ends at once when its client leaves', () => {
    const { client, isOver } = start();
    expect(isOver()).toBe(false);
    client.abort();
    expect(isOver()).toBe(true);
  });

  test.each([false, true])(
    'goes on for the drain time when the server stops (stopping already: %s)',
    async (stopping) => {
      const { clock, server, isOver } = start({ stopping });
      server.abort();
      await clock.advance(DRAIN_MS - 1);
      expect(isOver()).toBe(false);
      await clock.advance(1);
      expect(isOver()).toBe(true);
    },
  );

  test('ends at once when its client leaves a server that is stopping', async () => {
    const { clock, client, server, isOver } = start();
    server.abort();
    await clock.advance(1);
    client.abort();
    expect(isOver()).toBe(true);
  });

  test('is over before it began when the client has gone already', () => {
    expect(start({ gone: true }).isOver()).toBe(true);
  });

  test('once left, holds no timer', () => {
    const { clock, server, reading, isOver } = start();
    server.abort();
    reading.leave();
    reading.leave();
    expect(isOver()).toBe(true);
    expect(clock.armed).toBe(0);
  });
});
