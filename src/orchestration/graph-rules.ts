/**
 * What must hold of a graph beyond its schema. Every fault is a sentence that names the node or edge, what is wrong
 * there and what to do.
 */
import { closest } from '../core/closest.ts';
import { AosError } from '../core/errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../core/json.ts';
import { checkSchema } from '../core/schema-check.ts';
import { isTooDeep, pathsOf } from './graph-condition.ts';
import { type Graph, type GraphNode, graphSchema } from './graph-definition.ts';
import { keysOf, type Path, pathsIn, textOf } from './graph-reference.ts';
import { cycleAmong, edgesOf, loopsOf, reachableFrom, startsOf } from './graph-shape.ts';

/**
 * The graph of a request: its member `graph`, or `config.graph`.
 * @throws AosError invalid_request with every fault
 */
export function graphOf(request: JsonObject): Graph {
  const config = request['config'];
  const given = request['graph'] ?? (isJsonObject(config) ? config['graph'] : undefined);
  if (given === undefined || given === null) {
    throw new AosError(
      'invalid_request',
      'the workflow "graph" needs a graph: send { "graph": { "nodes": […], "edges": […] } }',
    );
  }
  if (hasDeepCondition(given)) throw new AosError('invalid_request', 'the graph has a condition nested deeper than 20');
  const graph = checkSchema(graphSchema, given, 'the graph');
  const [first, ...others] = faultsOf(graph);
  if (first === undefined) return graph;
  const more = others.length === 0 ? '' : ` (and ${others.length} more, see details)`;
  throw new AosError('invalid_request', `the graph cannot be used: ${first}${more}`, {
    details: others.length === 0 ? [] : [first, ...others].map((message) => ({ code: 'invalid_graph', message })),
  });
}

/** The agents a graph names, each once, in its order. */
export function agentIdsOf({ nodes }: Graph): readonly string[] {
  return [...new Set(nodes.flatMap((node) => (node.type === 'agent' ? [node.agent_id] : [])))];
}

/** The tools a graph names, each once, in its order. */
export function toolNamesOf({ nodes }: Graph): readonly string[] {
  return [...new Set(nodes.flatMap((node) => (node.type === 'tool' ? [node.tool] : [])))];
}

/** Every fault of a graph that fits the schema; of faults that follow from others only the causes. */
export function faultsOf(graph: Graph): readonly string[] {
  const naming = [...repeatedNodes(graph), ...edgeFaults(graph)];
  if (naming.length > 0) return naming;
  const ways = [...startFaults(graph), ...cycleFaults(graph), ...joinFaults(graph)];
  return [...ways, ...nodeFaults(graph), ...referenceFaults(graph)];
}

function repeatedNodes({ nodes }: Graph): string[] {
  const ids = nodes.map(({ id }) => id);
  const repeated = new Set(ids.filter((id, index) => ids.indexOf(id) !== index));
  return [...repeated].map((id) => `two nodes have the id "${id}": give each an id of its own`);
}

function edgeFaults({ nodes, edges, start = [] }: Graph): string[] {
  const ids = nodes.map(({ id }) => id);
  const unknown = (id: string) =>
    `there is no node "${id}"${closest(id, ids, ', did you mean "%s"?')} (there are: ${ids.slice(0, 20).join(', ')})`;
  const pairs = new Set<string>();
  const faults = edges.flatMap(({ from, to, ...edge }) => {
    const name = `edge ${from} → ${to}`;
    const pair = `${from} ${to}`;
    const twice = pairs.has(pair);
    pairs.add(pair);
    return [
      ...[from, to].filter((id) => !ids.includes(id)).map((id) => `${name}: ${unknown(id)}`),
      ...(twice ? [`${name} stands there twice: join the conditions of the two by "or"`] : []),
      ...(edge.default && edge.when !== undefined
        ? [`${name} has both "when" and "default": the default is the edge taken when no condition holds`]
        : []),
    ];
  });
  return [...faults, ...start.filter((id) => !ids.includes(id)).map((id) => `start: ${unknown(id)}`)];
}

function startFaults(graph: Graph): string[] {
  const starts = startsOf(graph);
  if (starts.length === 0)
    return ['the graph has no beginning, because an edge leads to every node: name one in "start"'];
  const reached = new Set([...starts, ...reachableFrom(starts, graph)]);
  const loops = loopsOf(graph);
  const lost = graph.nodes.filter(({ id }) => !reached.has(id));
  return [
    ...lost.map(({ id }) => `node "${id}" cannot be reached from the start (${starts.join(', ')})`),
    ...starts.flatMap((id) => {
      const from = graph.edges.find((edge) => edge.to === id && !isSameLoop(loops, edge.from, id))?.from;
      return from === undefined ? [] : [`node "${id}" is a start, but comes after "${from}": take one of the two away`];
    }),
  ];
}

function cycleFaults(graph: Graph): string[] {
  const unbounded = new Set(graph.nodes.filter((node) => node.max_visits === undefined).map(({ id }) => id));
  const cycle = cycleAmong(unbounded, graph);
  if (cycle === undefined) return [];
  return [`the cycle ${cycle.join(' → ')} has no bound: give one of its nodes "max_visits"`];
}

function joinFaults(graph: Graph): string[] {
  const { into } = edgesOf(graph);
  const loops = loopsOf(graph);
  return graph.nodes.flatMap((node) => {
    if (node.type !== 'join') return [];
    const branches = into.get(node.id) ?? [];
    const isEntrance =
      loops.has(node.id) &&
      (graph.start?.includes(node.id) === true || branches.some(({ from }) => !isSameLoop(loops, from, node.id)));
    if (isEntrance && node.wait !== 'any') {
      return [
        `node "${node.id}" is a join where a cycle is entered, and would wait for its own round: enter it at another node`,
      ];
    }
    return typeof node.wait === 'string' || node.wait.count <= branches.length
      ? []
      : [`node "${node.id}" waits for ${node.wait.count} branches, but only ${branches.length} lead to it`];
  });
}

function nodeFaults({ nodes }: Graph): string[] {
  return nodes.flatMap((node) => {
    if (node.type === 'transform' && (node.value === undefined) === (node.merge === undefined)) {
      return [`node "${node.id}" is a transform and needs one of "value" and "merge"`];
    }
    if (node.type === 'approval' && node.requires_approval !== undefined) {
      return [`node "${node.id}" is an approval itself: leave "requires_approval" out`];
    }
    return [];
  });
}

/** Every path must lead into the input or to a node that may have been visited before. */
function referenceFaults(graph: Graph): string[] {
  const before = new Map(graph.nodes.map(({ id }) => [id, new Set<string>()]));
  for (const { id } of graph.nodes) for (const later of reachableFrom([id], graph)) before.get(later)?.add(id);
  const ids = graph.nodes.map(({ id }) => id);
  const fault = (where: string, path: Path, known: ReadonlySet<string>, hasItem: boolean): string[] => {
    const [root = '', id] = keysOf(path);
    const says = `${where} refers to "${textOf(path)}"`;
    if (root === 'input') return [];
    if (root === 'item' || root === 'index')
      return hasItem ? [] : [`${says}, which there is only in a node with "for_each"`];
    if (root !== 'nodes' || id === undefined) return [`${says}: a path begins with input, nodes.<id>, item or index`];
    if (!ids.includes(id)) return [`${says}, but there is no node "${id}"${closest(id, ids, ', did you mean "%s"?')}`];
    return known.has(id) ? [] : [`${says}, but node "${id}" does not come before it`];
  };
  return [
    ...graph.nodes.flatMap((node) => {
      const known = before.get(node.id) ?? new Set();
      const each = 'for_each' in node ? node.for_each : undefined;
      const where = `node "${node.id}"`;
      return [
        ...(each === undefined ? [] : fault(where, each.path, known, false)),
        ...referencesOf(node).flatMap((path) => fault(where, path, known, each !== undefined)),
      ];
    }),
    ...graph.edges.flatMap(({ from, to, when }) =>
      when === undefined
        ? []
        : pathsOf(when).flatMap((path) =>
            fault(`edge ${from} → ${to}`, path, new Set([from, ...(before.get(from) ?? [])]), false),
          ),
    ),
    ...pathsIn(graph.output).flatMap((path) => fault('output', path, new Set(ids), false)),
  ];
}

/** The paths in the templates of a node. */
function referencesOf(node: GraphNode): readonly Path[] {
  const asked = isJsonObject(node.requires_approval) ? node.requires_approval : {};
  const words = [asked['title'], asked['description']] as readonly (JsonValue | undefined)[];
  return [...words.flatMap(pathsIn), ...ownReferences(node)];
}

function ownReferences(node: GraphNode): readonly Path[] {
  switch (node.type) {
    case 'agent':
      return pathsIn(node.instructions);
    case 'tool':
      return pathsIn(node.arguments);
    case 'approval':
      return pathsIn([node.title, node.description ?? '', node.arguments]);
    case 'input':
      return pathsIn([node.prompt ?? '', node.otherwise ?? null]);
    case 'transform':
      return [...pathsIn(node.value), ...(node.merge ?? [])];
    case 'orchestration':
      return pathsIn(node.request);
    case 'join':
      return [];
  }
}

function isSameLoop(loops: ReadonlyMap<string, string>, one: string, other: string): boolean {
  const loop = loops.get(one);
  return loop !== undefined && loop === loops.get(other);
}

/** Looked at before the schema, which would follow the nesting however deep it is. */
function hasDeepCondition(graph: JsonValue): boolean {
  const edges = isJsonObject(graph) ? graph['edges'] : undefined;
  return Array.isArray(edges) && edges.some((edge) => isJsonObject(edge) && isTooDeep(edge['when']));
}
