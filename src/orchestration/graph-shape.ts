/** The shape of a graph, apart from what its nodes do: which nodes lie on a cycle together, and what comes before what. */
import type { Graph, GraphEdge } from './graph-definition.ts';

type Shape = Pick<Graph, 'edges'> & { readonly nodes: readonly { readonly id: string }[] };

/** Edges by the node they begin at, and by the node they lead to; in the order of the definition. */
export function edgesOf({ nodes, edges }: Shape): {
  readonly out: ReadonlyMap<string, readonly GraphEdge[]>;
  readonly into: ReadonlyMap<string, readonly GraphEdge[]>;
} {
  const out = new Map<string, GraphEdge[]>(nodes.map(({ id }) => [id, []]));
  const into = new Map<string, GraphEdge[]>(nodes.map(({ id }) => [id, []]));
  for (const edge of edges) {
    out.get(edge.from)?.push(edge);
    into.get(edge.to)?.push(edge);
  }
  return { out, into };
}

/** Every node that can be reached from these along edges, these included only when an edge leads back to them. */
export function reachableFrom(starts: readonly string[], { edges }: Pick<Graph, 'edges'>): ReadonlySet<string> {
  const next = new Map<string, string[]>();
  for (const { from, to } of edges) next.set(from, [...(next.get(from) ?? []), to]);
  const reached = new Set<string>();
  const open = [...starts];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    for (const to of next.get(node) ?? []) {
      if (reached.has(to)) continue;
      reached.add(to);
      open.push(to);
    }
  }
  return reached;
}

/** For each node on a cycle, the first node (in the order of the definition) of all those it lies on cycles with. */
export function loopsOf(graph: Shape): ReadonlyMap<string, string> {
  const reach = new Map(graph.nodes.map(({ id }) => [id, reachableFrom([id], graph)]));
  const loops = new Map<string, string>();
  for (const { id } of graph.nodes) {
    if (reach.get(id)?.has(id) !== true) continue;
    const first = graph.nodes.find((other) => reach.get(id)?.has(other.id) && reach.get(other.id)?.has(id));
    loops.set(id, first?.id ?? id);
  }
  return loops;
}

/** A cycle, as the nodes along it, among edges between these nodes only; undefined when there is none. */
export function cycleAmong(ids: ReadonlySet<string>, { edges }: Pick<Graph, 'edges'>): readonly string[] | undefined {
  const next = new Map<string, string[]>();
  for (const { from, to } of edges) {
    if (ids.has(from) && ids.has(to)) next.set(from, [...(next.get(from) ?? []), to]);
  }
  const done = new Set<string>();
  for (const start of ids) {
    // Depth first without recursion: the way here, and at each node of it how many edges were followed.
    const way: { readonly id: string; followed: number }[] = done.has(start) ? [] : [{ id: start, followed: 0 }];
    for (let here = way.at(-1); here !== undefined; here = way.at(-1)) {
      const to = next.get(here.id)?.[here.followed];
      here.followed += 1;
      if (to === undefined) {
        done.add(here.id);
        way.pop();
        continue;
      }
      const met = way.findIndex(({ id }) => id === to);
      if (met >= 0) return [...way.slice(met).map(({ id }) => id), to];
      if (!done.has(to)) way.push({ id: to, followed: 0 });
    }
  }
  return undefined;
}

/** Where the graph begins: what it names, else the nodes that no edge leads to. */
export function startsOf(graph: Graph): readonly string[] {
  if (graph.start !== undefined) return graph.start;
  const targets = new Set(graph.edges.map(({ to }) => to));
  return graph.nodes.map(({ id }) => id).filter((id) => !targets.has(id));
}

/** The nodes that no edge leaves. */
export function endsOf({ nodes, edges }: Graph): readonly string[] {
  const sources = new Set(edges.map(({ from }) => from));
  return nodes.map(({ id }) => id).filter((id) => !sources.has(id));
}
