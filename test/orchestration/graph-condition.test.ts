import { describe, expect, it } from 'vitest';
import { conditionSchema, holds, isTooDeep } from '../../src/orchestration/graph-condition.ts';
import { fillIn, type GraphView, pathsIn, valueAt } from '../../src/orchestration/graph-reference.ts';

const view: GraphView = {
  input: { task: { limit: 100, tags: ['a', { b: 1 }], name: 'beta', 'a.b': 7, nothing: null } },
  nodes: {
    review: {
      status: 'completed',
      output: { approved: true, score: 0.75, text: 'looks good' },
      error: null,
      visits: 2,
    },
    cost: { status: 'failed', output: null, error: 'no prices', visits: 1 },
  },
  item: { n: 1 },
  index: 3,
};

describe('a condition', () => {
  it.each<[object, boolean]>([
    [{ path: 'nodes.review.output.approved', equals: true }, true],
    [{ path: 'nodes.review.output.approved', equals: 'true' }, false],
    [{ path: 'nodes.review.output.approved', not_equals: true }, false],
    [{ path: 'nodes.review.output.absent', equals: null }, false],
    [{ path: 'nodes.review.output.absent', not_equals: 1 }, true],
    [{ path: 'nodes.review.visits', gte: 2 }, true],
    [{ path: 'nodes.review.visits', gt: 2 }, false],
    [{ path: 'nodes.review.output.score', lt: 1, gt: 0.5 }, true],
    [{ path: 'nodes.review.output.score', lt: '1' }, false],
    [{ path: 'input.task.name', lte: 'gamma' }, true],
    [{ path: 'input.task.absent', lt: 5 }, false],
    [{ path: 'nodes.review.output.text', contains: 'good' }, true],
    [{ path: 'input.task.tags', contains: { b: 1 } }, true],
    [{ path: 'input.task.tags', contains: 'b' }, false],
    [{ path: 'input.task', contains: 'name' }, true],
    [{ path: 'input.task', contains: 'toString' }, false],
    [{ path: 'input.task.name', in: ['alpha', 'beta'] }, true],
    [{ path: 'nodes.cost.output', exists: false }, true],
    [{ path: 'nodes.cost.error', exists: true }, true],
    [{ path: 'input.task.tags.1.b', equals: 1 }, true],
    [{ path: ['input', 'task', 'a.b'], equals: 7 }, true],
    [{ path: 'input.task.__proto__', exists: true }, false],
    [{ path: 'input.constructor', exists: true }, false],
    [
      {
        and: [
          { path: 'index', equals: 3 },
          { path: 'item.n', equals: 1 },
        ],
      },
      true,
    ],
    [
      {
        and: [
          { path: 'index', equals: 3 },
          { path: 'item.n', equals: 2 },
        ],
      },
      false,
    ],
    [
      {
        or: [
          { path: 'index', equals: 4 },
          { path: 'item.n', equals: 1 },
        ],
      },
      true,
    ],
    [{ not: { path: 'nodes.review.status', equals: 'completed' } }, false],
  ])('%j is %s', (condition, expected) => {
    expect(holds(conditionSchema.parse(condition), view)).toBe(expected);
  });

  it.each([
    [{}],
    [{ path: 'input' }],
    [{ path: '', exists: true }],
    [{ path: 'input', equals: 1, matches: 'x' }],
    [{ and: [] }],
    [{ and: [{ path: 'input', exists: true }], or: [] }],
    ['input.task == 1'],
  ])('cannot be %j', (condition) => {
    expect(conditionSchema.safeParse(condition).success).toBe(false);
  });

  it('may be nested as deep as anybody needs, not deeper', () => {
    const nest = (depth: number): object => (depth === 0 ? { path: 'input', exists: true } : { not: nest(depth - 1) });
    expect(isTooDeep(nest(20))).toBe(false);
    expect(isTooDeep(nest(21))).toBe(true);
    expect(isTooDeep(nest(5_000))).toBe(true);
  });
});

describe('a reference', () => {
  it.each([
    ['{{input.task.limit}}', 100],
    ['{{ input.task.tags }}', ['a', { b: 1 }]],
    ['{{input.task.absent}}', null],
    ['at most {{input.task.limit}} for {{input.task.name}}', 'at most 100 for beta'],
    ['{{item}} of {{index}}: {{input.task.absent}}.', '{"n":1} of 3: .'],
    ['no {braces} here }}', 'no {braces} here }}'],
    [
      { a: ['{{index}}', 1], '{{b}}': null },
      { a: [3, 1], '{{b}}': null },
    ],
  ])('in %j becomes %j', (template, expected) => {
    expect(fillIn(template, view)).toEqual(expected);
  });

  it('is found wherever a template has it', () => {
    expect(pathsIn({ a: ['{{input.x}} {{ item }}', { b: '{{nodes.review.output}}' }], c: 1 })).toEqual([
      'input.x',
      'item',
      'nodes.review.output',
    ]);
  });

  it('never leads beyond what is there', () => {
    expect(valueAt(view, 'input.task.tags.length')).toBeUndefined();
    expect(valueAt(view, 'input.task.name.0')).toBeUndefined();
    expect(valueAt(view, 'input.task.nothing.more')).toBeUndefined();
  });
});
