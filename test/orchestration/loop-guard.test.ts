import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { createLoopGuard, loopBounds, normalised } from '../../src/orchestration/loop-guard.ts';

describe('the guard against loops', () => {
  it('notices when an agent says the same for the third time', () => {
    const guard = createLoopGuard();
    expect(guard.said('ceo', 'We wait.')).toBeUndefined();
    expect(guard.said('cfo', 'We wait.')).toBeUndefined();
    expect(guard.said('ceo', '  we WAIT ')).toBeUndefined();
    expect(guard.said('ceo', 'We go.')).toBeUndefined();
    expect(guard.said('ceo', '**We wait**')).toEqual({ what: 'ceo said the same 3 times', used: 3, max: 3 });
  });

  it('notices a turn that makes the same call again and again, whatever the order of the arguments', () => {
    const guard = createLoopGuard();
    const call = (turn: string, a = 1) => guard.called(turn, 'search', a === 1 ? { a, b: 2 } : { b: 2, a });
    for (let nth = 1; nth < loopBounds.calls; nth++) expect(call('round-1/ceo')).toBeUndefined();
    expect(call('round-2/ceo')).toBeUndefined();
    expect(call('round-1/ceo', 3)).toBeUndefined();
    expect(guard.called('round-1/ceo', 'search', { b: 2, a: 1 })).toMatchObject({ used: 4, max: 4 });
  });

  it('notices two agents that hand the work back and forth', () => {
    const guard = createLoopGuard();
    const trips = Array.from({ length: 6 }, (_, nth) =>
      nth % 2 === 0 ? guard.handedOver('ceo', 'cfo') : guard.handedOver('cfo', 'ceo'),
    );
    expect(trips.slice(0, 5)).toEqual([undefined, undefined, undefined, undefined, undefined]);
    expect(trips[5]).toEqual({ what: 'cfo and ceo handed the work back and forth 6 times', used: 6, max: 6 });
  });

  it('has nothing against a circle of three', () => {
    const guard = createLoopGuard();
    const circle = ['a', 'b', 'c'];
    for (let nth = 0; nth < 30; nth++) {
      expect(guard.handedOver(circle[nth % 3] ?? '', circle[(nth + 1) % 3] ?? '')).toBeUndefined();
    }
  });

  it('begins anew when it is told to forget', () => {
    const guard = createLoopGuard();
    guard.said('ceo', 'x1');
    guard.said('ceo', 'x1');
    guard.forget();
    expect(guard.said('ceo', 'x1')).toBeUndefined();
  });
});

const words = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('x', 'y', 'z')), { maxLength: 60 });

test('it trips exactly at the words that an agent says for the third time', () => {
  fc.assert(
    fc.property(words, (said) => {
      const guard = createLoopGuard();
      const counts = new Map<string, number>();
      for (const [agent, text] of said) {
        const count = (counts.get(agent + text) ?? 0) + 1;
        counts.set(agent + text, count);
        expect(guard.said(agent, text) !== undefined).toBe(count >= loopBounds.words);
      }
    }),
  );
});

test('it never trips where nobody repeats itself', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.string(), { selector: normalised, maxLength: 100 }), (texts) => {
      const guard = createLoopGuard();
      for (const text of texts) expect(guard.said('ceo', text)).toBeUndefined();
    }),
  );
});
