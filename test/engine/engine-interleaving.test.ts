/** Signals, cancellations and lost processes in any order and at the same time: one end, once, and an unbroken log. */

import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { RunProgram } from '../../src/engine/engine.ts';
import { isTerminalEvent } from '../../src/runs/event.ts';
import { verifyEvents } from '../../src/runs/event-chain.ts';
import { keyOfRun } from '../../src/runs/run.ts';
import { createTestDatabase } from '../support/database.ts';
import { startTestEngine, type TestEngine } from '../support/engine.ts';

let engines: [TestEngine, TestEngine];

const program: RunProgram = async (scope) => {
  const sums = await Promise.all(
    ['a', 'b'].map(async (name) => {
      const before = await scope.step(`${name}/before`, async () => 1);
      const answer = await scope.wait({ name, reason: 'approval' });
      return scope.step(`${name}/after`, async () => before + Number(answer?.payload['n']), {
        event: (value) => ({ key: `${name}:done`, type: 'run.progress', data: { progress: value } }),
      });
    }),
  );
  return { sums };
};

beforeAll(async () => {
  const url = await createTestDatabase();
  engines = [await startTestEngine(url, program), await startTestEngine(url, program)];
});

afterAll(async () => {
  for (const each of engines) await each[Symbol.asyncDispose]();
});

type Move =
  | { readonly kind: 'signal'; readonly by: 0 | 1; readonly name: 'a' | 'b'; readonly id: number }
  | { readonly kind: 'cancel'; readonly by: 0 | 1 }
  | { readonly kind: 'lose' }
  | { readonly kind: 'pause' };

const by = fc.constantFrom(0 as const, 1 as const);
const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('signal' as const),
      by,
      name: fc.constantFrom('a' as const, 'b' as const),
      id: fc.nat({ max: 2 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cancel' as const), by }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'lose' as const }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'pause' as const }) },
);

it('whatever happens to a run in whatever order, it has one end', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(move, { maxLength: 12 }), async (moves) => {
      const [one] = engines;
      const run = await one.begin();
      const under: Promise<unknown>[] = [];
      const signal = (each: TestEngine, name: string, id: number) =>
        each.engine.signal(keyOfRun(run), { id: `${name}-${id}`, name, payload: { n: id }, actor: 'user:ada' });
      for (const each of moves) {
        if (each.kind === 'signal') under.push(signal(engines[each.by], each.name, each.id));
        if (each.kind === 'cancel') under.push(engines[each.by].engine.cancel(run.id, 'enough', run.caller));
        // What is left when a process dies, or is taken for dead: nobody has the run, and every process may take it up.
        if (each.kind === 'lose') {
          under.push(one.database.db.updateTable('runs').set({ executor: null }).where('id', '=', run.id).execute());
        }
        if (each.kind === 'pause') await Promise.all(under.splice(0));
      }
      await Promise.all(under);
      // In the end everybody answers.
      await signal(engines[1], 'a', 9);
      await signal(engines[0], 'b', 9);
      const events = await one.watch(run.id);
      const ended = await one.runs.load(keyOfRun(run));
      const cancelled = moves.some(({ kind }) => kind === 'cancel');
      if (!cancelled) expect(ended?.status).toBe('completed');
      expect(['completed', 'cancelled']).toContain(ended?.status);
      expect(events.filter(isTerminalEvent)).toHaveLength(1);
      expect(verifyEvents(events, ended)).toBeUndefined();
      const steps = await one.runs.steps(run);
      expect(new Set(steps.map(({ name }) => name)).size).toBe(steps.length);
      if (ended?.status === 'completed') {
        expect(steps.map(({ name }) => name).toSorted()).toEqual(
          ['a', 'a/after', 'a/before', 'b', 'b/after', 'b/before'].toSorted(),
        );
        // What the log tells is what the run gave.
        const told = ['a:done', 'b:done'].map((key) => events.find((event) => event.key === key)?.data);
        expect(told).toEqual(((ended.result?.['sums'] ?? []) as number[]).map((progress) => ({ progress })));
      }
    }),
    { numRuns: 25, endOnFailure: true },
  );
}, 120_000);
