import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { type AgentCard, cardOf, type ListedAgent } from '../../src/delegation/agent-card.ts';
import { budgetFor, chainThrough, leftOf, type Proposal, rejectionOf } from '../../src/delegation/delegation-rules.ts';

function agent(id: string, card: Partial<AgentCard> = {}, tenantId = 'acme'): ListedAgent {
  return {
    id,
    tenantId,
    card: cardOf(id, card),
    isOurs: false,
    ownerId: '',
    health: 'unknown',
    healthDetail: null,
    checkedAt: null,
    registeredAt: null,
    updatedAt: null,
  };
}

const proposal: Proposal = {
  from: agent('a'),
  to: agent('b'),
  capability: undefined,
  chain: [],
  open: 0,
  maxDepth: 5,
};

describe('a delegation', () => {
  test.each<[string, Partial<Proposal>, string | undefined]>([
    ['to another agent', {}, undefined],
    ['to itself', { to: agent('a') }, 'SELF_DELEGATION'],
    ['to one that handed it on', { chain: ['b'] }, 'DELEGATION_CYCLE'],
    ['to the first of a long line', { chain: ['b', 'c', 'd'] }, 'DELEGATION_CYCLE'],
    ['handed on for the fifth time', { chain: ['v', 'w', 'x', 'y'] }, undefined],
    ['handed on for the sixth time', { chain: ['v', 'w', 'x', 'y', 'z'] }, 'DELEGATION_DEPTH'],
    ['handed on for the fifth time by the last of the line', { chain: ['w', 'x', 'y', 'z', 'a'] }, undefined],
    ['by one that may not', { from: agent('a', { canDelegate: false }) }, 'NOT_DELEGABLE'],
    ['to one that takes none', { to: agent('b', { canAccept: false }) }, 'NOT_DELEGABLE'],
    ['for what the other cannot do', { capability: 'levitate' }, 'NOT_DELEGABLE'],
    ['for what the other can do', { capability: 'query' }, undefined],
    ['to one that has all it takes', { to: agent('b', { maxConcurrent: 2 }), open: 2 }, 'DELEGATEE_BUSY'],
    ['to one that has room', { to: agent('b', { maxConcurrent: 2 }), open: 1 }, undefined],
    ['to another tenant', { to: agent('b', {}, 'other') }, 'CROSS_TENANT'],
    ['to the same name in another tenant', { to: agent('a', {}, 'other') }, 'CROSS_TENANT'],
  ])('%s', (_what, change, code) => {
    expect(rejectionOf({ ...proposal, ...change })?.code).toBe(code);
  });

  test('that is let through makes no circle, is not too deep, and leaves nobody more than they take', () => {
    const ids = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g');
    fc.assert(
      fc.property(
        fc.array(fc.tuple(ids, ids), { maxLength: 30 }),
        fc.integer({ min: 1, max: 6 }),
        (steps, maxDepth) => {
          const open = new Map<string, number>();
          let chain: readonly string[] = [];
          let holder: string | undefined;
          for (const [someone, to] of steps) {
            const from = holder ?? someone;
            const asked = {
              ...proposal,
              from: agent(from),
              to: agent(to, { maxConcurrent: 2 }),
              chain,
              open: open.get(to) ?? 0,
              maxDepth,
            };
            if (rejectionOf(asked) !== undefined) continue;
            chain = chainThrough(chain, from);
            holder = to;
            open.set(to, (open.get(to) ?? 0) + 1);
            expect(new Set([...chain, to]).size).toBe(chain.length + 1);
            expect(chain.length).toBeLessThanOrEqual(maxDepth);
            expect(open.get(to)).toBeLessThanOrEqual(2);
          }
        },
      ),
    );
  });
});

describe('the budget of a delegation', () => {
  const left = { steps: 10, costUsd: 0.4 };
  test.each([
    ['without a parent it is what was asked for', { steps: 500, costUsd: 7 }, undefined, { steps: 500, costUsd: 7 }],
    ['without a word it is the usual', { steps: undefined, costUsd: undefined }, undefined, { steps: 20, costUsd: 1 }],
    ['without a word it is no more than is left', { steps: undefined, costUsd: undefined }, left, left],
    ['it may be all that is left', { steps: 10, costUsd: 0.4 }, left, left],
  ] as const)('%s', (_what, asked, parent, granted) => {
    expect(budgetFor(asked, parent)).toEqual(granted);
  });

  test.each([
    ['more steps', { steps: 11, costUsd: undefined }, left],
    ['more money', { steps: undefined, costUsd: 0.41 }, left],
    ['something of nothing', { steps: undefined, costUsd: undefined }, { steps: 5, costUsd: 0 }],
    ['a step of none', { steps: undefined, costUsd: undefined }, { steps: 0, costUsd: 1 }],
  ])('is refused for %s than is left', (_what, asked, parent) => {
    expect(budgetFor(asked, parent)).toMatchObject({ code: 'BUDGET_EXCEEDED' });
  });

  it('is never exceeded by what is handed on, however it is asked for', () => {
    const asked = fc.record({
      steps: fc.option(fc.integer({ min: 1, max: 30 }), { nil: undefined }),
      costUsd: fc.option(fc.double({ min: 0.01, max: 2, noNaN: true }), { nil: undefined }),
    });
    fc.assert(
      fc.property(fc.array(asked, { maxLength: 20 }), (children) => {
        const budget = { steps: 40, costUsd: 1.5 };
        const granted: { steps: number; costUsd: number }[] = [];
        for (const child of children) {
          const answer = budgetFor(child, leftOf(budget, granted));
          if (!('code' in answer)) granted.push(answer);
        }
        expect(granted.reduce((sum, { steps }) => sum + steps, 0)).toBeLessThanOrEqual(budget.steps);
        expect(granted.reduce((sum, { costUsd }) => sum + costUsd, 0)).toBeLessThanOrEqual(budget.costUsd + 1e-6);
      }),
    );
  });
});
