import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createFlowWindow } from '../../src/invocations/flow-window.ts';

const never = new AbortController().signal;

test('without a size there is always room', async () => {
  await createFlowWindow(undefined, 0).room(1_000_000, never);
});

test('an event beyond the window waits for the acknowledgement that makes room for it', async () => {
  const window = createFlowWindow(2, 10);
  await window.room(12, never);
  let sent = false;
  const waiting = window.room(13, never).then(() => {
    sent = true;
  });
  window.acknowledge(10);
  await Promise.resolve();
  expect(sent).toBe(false);
  window.acknowledge(11);
  await waiting;
});

test('waiting for room ends with the signal', async () => {
  const stop = new AbortController();
  const waiting = createFlowWindow(1, 0).room(2, stop.signal);
  stop.abort(new Error('gone'));
  await expect(waiting).rejects.toThrow('gone');
});

test('never more than the window is unacknowledged, whatever the client acknowledges when', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 5 }), fc.array(fc.integer({ min: 0, max: 30 })), async (size, acks) => {
      const window = createFlowWindow(size, 0);
      let sent = 0;
      let acknowledged = 0;
      const stop = new AbortController();
      const sending = (async () => {
        for (let seq = 1; seq <= 30; seq++) {
          await window.room(seq, stop.signal);
          sent = seq;
          expect(sent - acknowledged).toBeLessThanOrEqual(size);
        }
      })().catch(() => {});
      for (const ack of [...acks, 0]) {
        const seq = Math.min(ack, sent);
        acknowledged = Math.max(acknowledged, seq);
        window.acknowledge(seq);
        await new Promise(setImmediate);
      }
      expect(sent).toBe(Math.min(30, acknowledged + size));
      stop.abort();
      await sending;
    }),
    { numRuns: 50 },
  );
});
