import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../src/core/json.ts';
import { canMove, hashRequest, isTerminal, type RunStatus, runStatuses, terminalStatuses } from '../../src/runs/run.ts';

const allowed: readonly (readonly [RunStatus, RunStatus])[] = [
  ['queued', 'running'],
  ['queued', 'failed'],
  ['queued', 'cancelled'],
  ['queued', 'timed_out'],
  ['running', 'waiting'],
  ['running', 'completed'],
  ['running', 'failed'],
  ['running', 'cancelled'],
  ['running', 'timed_out'],
  ['waiting', 'running'],
  ['waiting', 'failed'],
  ['waiting', 'cancelled'],
  ['waiting', 'timed_out'],
];

describe('the statuses of a run', () => {
  const every = runStatuses.flatMap((from) => runStatuses.map((to) => [from, to] as const));

  it.each(every)('from %s to %s is as the table says', (from, to) => {
    expect(canMove(from, to)).toBe(allowed.some(([a, b]) => a === from && b === to));
  });

  it('has four ends, and only these are terminal', () => {
    expect(runStatuses.filter(isTerminal)).toEqual([...terminalStatuses]);
  });

  it('never leaves an end, whatever moves are tried', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...runStatuses), { maxLength: 30 }), (attempts) => {
        let status: RunStatus = 'queued';
        let end: RunStatus | undefined;
        for (const to of attempts) {
          if (canMove(status, to)) status = to;
          if (end !== undefined) expect(status).toBe(end);
          if (isTerminal(status)) end ??= status;
        }
      }),
    );
  });

  it('can reach an end from every status that is not one', () => {
    for (const from of runStatuses.filter((status) => !isTerminal(status))) {
      expect(terminalStatuses.filter((to) => canMove(from, to))).toEqual(
        expect.arrayContaining(['failed', 'cancelled', 'timed_out']),
      );
    }
  });
});

describe('the hash of a request', () => {
  it('does not depend on the order of members, at any depth', () => {
    const shuffled = (value: JsonObject): JsonObject =>
      Object.fromEntries(
        Object.entries(value)
          .reverse()
          .map(([key, member]) => [
            key,
            typeof member === 'object' && member !== null && !Array.isArray(member) ? shuffled(member) : member,
          ]),
      );
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (members) => {
        const request = JSON.parse(JSON.stringify(members));
        expect(hashRequest(shuffled(request))).toBe(hashRequest(request));
      }),
    );
  });

  it('differs when a member differs', () => {
    expect(hashRequest({ task: { quarter: 'Q1' } })).not.toBe(hashRequest({ task: { quarter: 'Q2' } }));
  });
});
