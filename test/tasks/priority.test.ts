import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  agedRank,
  priorities,
  priorityFrom,
  priorityNumbers,
  priorityOfRank,
  rankOf,
} from '../../src/tasks/priority.ts';

describe('a priority as a caller writes it', () => {
  it.each([
    ['CRITICAL', 'critical'],
    ['High', 'high'],
    ['normal', 'normal'],
    [' low ', 'low'],
    ['BackGround', 'background'],
    [1, 'critical'],
    [2, 'high'],
    [3, 'normal'],
    [4, 'normal'],
    [5, 'normal'],
    [6, 'low'],
    [7, 'low'],
    [8, 'low'],
    [9, 'background'],
    [10, 'background'],
    ['7', 'low'],
  ])('%j means %s', (given, meant) => {
    expect(priorityFrom(given)).toBe(meant);
  });

  it.each([0, 11, -1, 1.5, Number.NaN, 'urgent', '', '05'])('%j means none', (given) => {
    expect(priorityFrom(given)).toBeUndefined();
  });

  it('has ranks in the order of its numbers', () => {
    expect(priorities.map(rankOf)).toEqual([0, 1, 2, 3, 4]);
    expect(priorities.map((priority) => priorityNumbers[priority])).toEqual([1, 2, 5, 8, 10]);
    expect(priorities.map((priority) => priorityOfRank(rankOf(priority)))).toEqual(priorities);
  });
});

describe('ageing', () => {
  it.each([
    [4, 0, 4],
    [4, 299_999, 4],
    [4, 300_000, 3],
    [4, 899_999, 2],
    [4, 1_200_000, 0],
    [4, 9_999_999, 0],
    [0, 900_000, 0],
    [2, -5_000, 2],
  ])('rank %i after %i ms counts as %i', (rank, waited, counted) => {
    expect(agedRank(rank, waited, 300)).toBe(counted);
  });

  it('brings every task to the most urgent class in the end, and never makes one less urgent', () => {
    const rank = fc.integer({ min: 0, max: 4 });
    const aging = fc.integer({ min: 1, max: 3600 });
    fc.assert(
      fc.property(rank, fc.nat(10_000_000), fc.nat(10_000_000), aging, (given, waited, more, seconds) => {
        expect(agedRank(given, waited + more, seconds)).toBeLessThanOrEqual(agedRank(given, waited, seconds));
        expect(agedRank(given, seconds * 4_000 + waited, seconds)).toBe(0);
      }),
    );
  });
});
