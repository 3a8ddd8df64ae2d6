import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonObject, JsonValue } from '../../src/core/json.ts';
import { type Graph, graphSchema } from '../../src/orchestration/graph-definition.ts';
import { type NodeOutcome, planGraph, type Visit, visitName } from '../../src/orchestration/graph-plan.ts';

/** `a b` is an edge; `a b?` one that is taken when a's output says so (`{go: ['b']}`), `a b!` a default. */
function graphOf(edges: string, nodes: Record<string, JsonObject> = {}, start?: string[]): Graph {
  const list = edges.split(',').map((edge) => {
    const [from = '', to = ''] = edge.trim().split(' ');
    const target = to.replace(/[?!]$/, '');
    if (to.endsWith('?')) return { from, to: target, when: { path: `nodes.${from}.output.go`, contains: target } };
    return { from, to: target, ...(to.endsWith('!') ? { default: true } : {}) };
  });
  const ids = [...new Set(list.flatMap(({ from, to }) => [from, to]))].sort();
  return graphSchema.parse({
    nodes: ids.map((id) => ({ id, ...(nodes[id] ?? { type: 'transform', value: null }) })),
    edges: list,
    ...(start === undefined ? {} : { start }),
  });
}

const join = (wait: JsonValue) => ({ type: 'join', wait });
const done = (name: string, ...go: string[]): NodeOutcome => {
  const [node = '', visit = '1'] = name.split('/');
  return { node, visit: Number(visit), status: 'completed', output: { go } };
};

/** Ready visits and skipped nodes after these outcomes. */
function after(graph: Graph, ...outcomes: NodeOutcome[]): string {
  const { ready, skipped } = planGraph(graph, {}, outcomes);
  const names = ready.map((visit) => visitName(visit).replace(/\/1$/, ''));
  return [...names, ...skipped.map((id) => `-${id}`)].join(' ');
}

describe('a graph without cycles', () => {
  const line = graphOf('a b, b c');
  const choice = graphOf('a b?, a c?, a d!, b e, c e, d e');
  const diamond = graphOf('a b, a c, b d, c d');
  const any = graphOf('a b, a c, b j, c j, j e', { j: join('any') });
  const two = graphOf('a b?, a c?, a d?, b j, c j, d j', { j: join({ count: 2 }) });

  it.each<[string, Graph, NodeOutcome[], string]>([
    ['begins at the nodes that no edge leads to', graphOf('b c, a c'), [], 'a b'],
    ['goes on along an edge', line, [done('a')], 'b'],
    ['has nothing left after its last node', line, [done('a'), done('b'), done('c')], ''],
    ['takes the edges whose conditions hold', choice, [done('a', 'b', 'c')], 'b c -d'],
    ['takes the default when none holds', choice, [done('a')], 'd -b -c'],
    ['waits for every branch that is alive', choice, [done('a', 'b', 'c'), done('b')], 'c -d'],
    ['does not wait for dead branches', choice, [done('a', 'b'), done('b')], 'e -c -d'],
    ['comes together once', diamond, [done('a'), done('c'), done('b')], 'd'],
    ['goes on with the first branch at a join of any', any, [done('a'), done('c')], 'b j'],
    ['passes a join of any once', any, [done('a'), done('c'), done('j'), done('b')], 'e'],
    ['goes on with so many branches at a counting join', two, [done('a', 'b', 'c', 'd'), done('b'), done('d')], 'c j'],
    ['skips a counting join that cannot be reached', two, [done('a', 'b'), done('b')], '-c -d -j'],
    ['skips everything behind a dead end', graphOf('a b?, b c, c d'), [done('a')], '-b -c -d'],
    [
      'looks at the edges of a node that failed and was to be passed',
      graphOf('a b'),
      [{ node: 'a', visit: 1, status: 'failed', error: 'no' }],
      'b',
    ],
  ])('%s', (_title, graph, outcomes, expected) => {
    expect(after(graph, ...outcomes)).toBe(expected);
  });

  it('says where each visit was arrived at from', () => {
    const { arrivedFrom } = planGraph(choice, {}, [done('a', 'b', 'c'), done('b'), done('c')]);
    expect(arrivedFrom.get('e/1')).toEqual(['b', 'c']);
  });

  it('refuses an outcome of a node whose turn has not come', () => {
    expect(() => planGraph(line, {}, [done('b')])).toThrow('b/1 ended, but was not under way');
  });
});

describe('a graph with a cycle', () => {
  const bounded = { type: 'transform', value: null, max_visits: 2 };
  const review = graphOf('draft review, review draft?, review publish?, review give-up!', { draft: bounded }, [
    'draft',
  ]);
  const inner = graphOf('plan x, plan y, x both, y both, both plan?, both out?', { plan: bounded, both: join('all') }, [
    'plan',
  ]);

  it.each<[string, Graph, NodeOutcome[], string]>([
    ['visits a node again', review, [done('draft'), done('review', 'draft')], 'draft/2'],
    [
      'leaves the ways out open while it goes round',
      review,
      [done('draft'), done('review', 'draft'), done('draft/2')],
      'review/2',
    ],
    [
      'closes the other ways out when it is left',
      review,
      [done('draft'), done('review', 'publish')],
      'publish -give-up',
    ],
    [
      'takes the default when the visits of the way back are used up',
      review,
      [done('draft'), done('review', 'draft'), done('draft/2'), done('review/2', 'draft')],
      'give-up -publish',
    ],
    [
      'joins the branches of each round',
      inner,
      [done('plan'), done('x'), done('y'), done('both', 'plan'), done('plan/2'), done('y/2')],
      'x/2',
    ],
    [
      'goes round through a join',
      inner,
      [done('plan'), done('x'), done('y'), done('both', 'plan'), done('plan/2'), done('y/2'), done('x/2')],
      'both/2',
    ],
    ['ends when a round ends without a way on', inner, [done('plan'), done('x'), done('y'), done('both')], '-out'],
    [
      'is skipped as a whole when nothing enters it',
      graphOf('s a?, a b, b a, b z', { a: bounded }),
      [done('s')],
      '-a -b -z',
    ],
    ['may be one node', graphOf('a a?, a z', { a: bounded }, ['a']), [done('a', 'a'), done('a/2', 'a')], 'z'],
  ])('%s', (_title, graph, outcomes, expected) => {
    expect(after(graph, ...outcomes)).toBe(expected);
  });
});

describe('any graph', () => {
  const size = 8;
  const id = (index: number) => `n${index}`;
  /** Edges from lower to higher numbers only, unless `back`. */
  const anyGraph = (back: boolean) =>
    fc
      .record({
        edges: fc.uniqueArray(
          fc.record({
            from: fc.nat(size - 1),
            to: fc.nat(size - 1),
            kind: fc.constantFrom('plain', 'when', 'default'),
          }),
          { selector: ({ from, to }) => `${from} ${to}`, maxLength: 24 },
        ),
        joins: fc.array(fc.constantFrom<JsonValue>('none', 'all', 'any', { count: 1 }, { count: 2 }), {
          minLength: size,
          maxLength: size,
        }),
      })
      .map(({ edges, joins }) =>
        graphSchema.parse({
          nodes: joins.map((wait, index) => ({
            id: id(index),
            ...(wait === 'none' || index === 0 ? { type: 'transform', value: null } : join(wait)),
            ...(back ? { max_visits: 3 } : {}),
          })),
          edges: edges
            .filter(({ from, to }) => from < to || (back && from > 0))
            .map(({ from, to, kind }) => ({
              from: id(from),
              to: id(to),
              ...(kind === 'when' ? { when: { path: `nodes.${id(from)}.output.go`, contains: id(to) } } : {}),
              ...(kind === 'default' ? { default: true } : {}),
            })),
          ...(back ? { start: [id(0)] } : {}),
        }),
      );
  /** Which of the ready visits ends next, and where it says to go. */
  const choices = fc.array(
    fc.record({ pick: fc.nat(), go: fc.subarray(Array.from({ length: size }, (_, i) => id(i))) }),
    {
      minLength: 3 * size,
      maxLength: 3 * size,
    },
  );

  function play(graph: Graph, moves: readonly { pick: number; go: string[] }[]) {
    const outcomes: NodeOutcome[] = [];
    const history: (readonly Visit[])[] = [];
    for (const { pick, go } of moves) {
      const { ready } = planGraph(graph, {}, outcomes);
      history.push(ready);
      const visit = ready[pick % ready.length];
      if (visit === undefined) break;
      outcomes.push({ ...visit, status: 'completed', output: { go } });
    }
    return { outcomes, history, end: planGraph(graph, {}, outcomes) };
  }

  it('without cycles ends, with each node visited once or skipped', () => {
    fc.assert(
      fc.property(anyGraph(false), choices, (graph, moves) => {
        const { outcomes, end } = play(graph, moves);
        expect(end.ended).toBe(true);
        const visited = outcomes.map(({ node }) => node);
        expect([...visited, ...end.skipped].sort()).toEqual(graph.nodes.map((node) => node.id).sort());
      }),
      { numRuns: 300 },
    );
  });

  it('with bounded cycles ends too, and visits no node more often than it may', () => {
    fc.assert(
      fc.property(anyGraph(true), choices, (graph, moves) => {
        const { outcomes, end } = play(graph, moves);
        expect(end.ended).toBe(true);
        for (const node of graph.nodes) expect(end.view.nodes[node.id]?.visits).toBeLessThanOrEqual(3);
        const visited = outcomes.map(({ node }) => node);
        expect(end.skipped.filter((node) => visited.includes(node))).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  it('makes the same visits ready in the same order after the same outcomes', () => {
    fc.assert(
      fc.property(anyGraph(true), choices, (graph, moves) => {
        expect(play(graph, moves).history).toEqual(play(graph, moves).history);
      }),
      { numRuns: 50 },
    );
  });

  it('keeps what is ready until it ends', () => {
    fc.assert(
      fc.property(anyGraph(true), choices, (graph, moves) => {
        const { history, outcomes } = play(graph, moves);
        for (const [index, ready] of history.entries()) {
          const next = history[index + 1] ?? [];
          const ended = outcomes[index];
          const kept = ready.filter((visit) => ended === undefined || visitName(visit) !== visitName(ended));
          if (history[index + 1] !== undefined) expect(next.slice(0, kept.length)).toEqual(kept);
        }
      }),
      { numRuns: 50 },
    );
  });
});
