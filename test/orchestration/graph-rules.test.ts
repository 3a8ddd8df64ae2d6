import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../src/core/json.ts';
import { graphSchema } from '../../src/orchestration/graph-definition.ts';
import { agentIdsOf, faultsOf, graphOf } from '../../src/orchestration/graph-rules.ts';

const agent = (id: string, more: JsonObject = {}): JsonObject => ({ id, type: 'agent', agent_id: 'ceo', ...more });
const edge = (from: string, to: string, more: JsonObject = {}): JsonObject => ({ from, to, ...more });

function faults(nodes: JsonObject[], edges: JsonObject[] = [], more: JsonObject = {}): readonly string[] {
  return faultsOf(graphSchema.parse({ nodes, edges, ...more }));
}

describe('a graph', () => {
  it('may be a single node, a line, a fan, and a cycle with a bound', () => {
    expect(faults([agent('a')])).toEqual([]);
    expect(faults([agent('a'), agent('b'), agent('c')], [edge('a', 'b'), edge('a', 'c')])).toEqual([]);
    const cycle = [
      edge('a', 'b'),
      edge('b', 'a', { when: { path: 'nodes.b.output', contains: 'again' } }),
      edge('b', 'c'),
    ];
    expect(faults([agent('a', { max_visits: 3 }), agent('b'), agent('c')], cycle, { start: ['a'] })).toEqual([]);
  });

  it.each<[string, readonly string[], readonly string[]]>([
    [
      'two nodes of one id',
      faults([agent('a'), agent('a')]),
      ['two nodes have the id "a": give each an id of its own'],
    ],
    [
      'an edge to nowhere',
      faults([agent('review'), agent('publish')], [edge('review', 'publihs')]),
      ['edge review → publihs: there is no node "publihs", did you mean "publish"? (there are: review, publish)'],
    ],
    [
      'an edge twice',
      faults([agent('a'), agent('b')], [edge('a', 'b'), edge('a', 'b')]),
      ['edge a → b stands there twice: join the conditions of the two by "or"'],
    ],
    [
      'a default with a condition',
      faults([agent('a'), agent('b')], [edge('a', 'b', { default: true, when: { path: 'input', exists: true } })]),
      ['edge a → b has both "when" and "default": the default is the edge taken when no condition holds'],
    ],
    [
      'no beginning',
      faults([agent('a', { max_visits: 2 }), agent('b')], [edge('a', 'b'), edge('b', 'a')]),
      ['the graph has no beginning, because an edge leads to every node: name one in "start"'],
    ],
    [
      'a start in the middle',
      faults([agent('a'), agent('b')], [edge('a', 'b')], { start: ['a', 'b'] }),
      ['node "b" is a start, but comes after "a": take one of the two away'],
    ],
    [
      'a node out of reach',
      faults([agent('a'), agent('b')], [], { start: ['a'] }),
      ['node "b" cannot be reached from the start (a)'],
    ],
    [
      'a cycle without a bound',
      faults([agent('a'), agent('b'), agent('c')], [edge('a', 'b'), edge('b', 'c'), edge('c', 'b')]),
      ['the cycle b → c → b has no bound: give one of its nodes "max_visits"'],
    ],
    [
      'a cycle without a bound beside one that has one',
      faults(
        [agent('a'), agent('b', { max_visits: 2 }), agent('c')],
        [edge('a', 'b'), edge('b', 'c'), edge('c', 'b'), edge('c', 'c')],
      ),
      ['the cycle c → c has no bound: give one of its nodes "max_visits"'],
    ],
    [
      'a join that counts too far',
      faults([agent('a'), { id: 'j', type: 'join', wait: { count: 2 } }], [edge('a', 'j')]),
      ['node "j" waits for 2 branches, but only 1 lead to it'],
    ],
    [
      'a join at the entrance of a cycle',
      faults(
        [agent('a'), { id: 'j', type: 'join', max_visits: 2 }, agent('b')],
        [edge('a', 'j'), edge('j', 'b'), edge('b', 'j')],
      ),
      ['node "j" is a join where a cycle is entered, and would wait for its own round: enter it at another node'],
    ],
    [
      'a transform of nothing',
      faults([{ id: 't', type: 'transform' }]),
      ['node "t" is a transform and needs one of "value" and "merge"'],
    ],
    [
      'a path to a node that is not there',
      faults([agent('plan'), agent('b', { instructions: 'from {{nodes.plann.output}}' })], [edge('plan', 'b')]),
      ['node "b" refers to "nodes.plann.output", but there is no node "plann", did you mean "plan"?'],
    ],
    [
      'a path to a node that comes later',
      faults([agent('a', { instructions: '{{nodes.b.output}}' }), agent('b')], [edge('a', 'b')]),
      ['node "a" refers to "nodes.b.output", but node "b" does not come before it'],
    ],
    [
      'a path to nowhere in a condition',
      faults([agent('a'), agent('b')], [edge('a', 'b', { when: { path: 'output.ok', equals: true } })]),
      ['edge a → b refers to "output.ok": a path begins with input, nodes.<id>, item or index'],
    ],
    [
      'an item without a list',
      faults([agent('a', { instructions: '{{item.name}}' })]),
      ['node "a" refers to "item.name", which there is only in a node with "for_each"'],
    ],
  ])('is refused for %s', (_what, found, expected) => {
    expect(found).toEqual(expected);
  });

  it('is read from the request or its config, and refused with all its faults', () => {
    const nodes = [agent('a'), agent('b', { agent_id: 'cfo' }), agent('c')];
    expect(agentIdsOf(graphOf({ graph: { nodes } }))).toEqual(['ceo', 'cfo']);
    expect(agentIdsOf(graphOf({ config: { graph: { nodes } } }))).toEqual(['ceo', 'cfo']);
    expect(() => graphOf({})).toThrow('the workflow "graph" needs a graph');
    const refused = () => graphOf({ graph: { nodes, edges: [edge('a', 'x'), edge('y', 'b')] } });
    expect(refused).toThrow('the graph cannot be used: edge a → x: there is no node "x"');
    expect(refused).toThrow('(and 1 more, see details)');
    expect(() => graphOf({ graph: { nodes: [{ id: 'a', type: 'agnet' }] } })).toThrow('the graph cannot be used');
  });

  it('is what docs/graphs.md shows', () => {
    const page = readFileSync(join(import.meta.dirname, '../../docs/graphs.md'), 'utf8');
    const [, example = ''] = /```json\n([\s\S]*?)```/.exec(page) ?? [];
    expect(agentIdsOf(graphOf(JSON.parse(example)))).toEqual(['cmo', 'ceo']);
  });

  it('is refused before its conditions are followed without end', () => {
    let when: JsonObject = { path: 'input', exists: true };
    for (let depth = 0; depth < 5_000; depth++) when = { not: when };
    const graph = { nodes: [agent('a'), agent('b')], edges: [edge('a', 'b', { when })] };
    expect(() => graphOf({ graph })).toThrow('nested deeper than 20');
  });
});
