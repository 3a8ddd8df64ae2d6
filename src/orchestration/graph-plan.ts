/**
 * When a node's turn comes: pure, from the graph, the run's input and what became of the visits so far, in the order in
 * which they ended. The same outcomes in the same order make the same nodes ready in the same order.
 *
 * Outside of cycles an edge is open until the node it leaves has ended or was skipped; then it is taken or dead. A node's
 * turn comes when all edges to it are decided and one was taken (a join may want fewer); when none was, it is skipped.
 * So every node comes at most once, and no node is waited for in vain.
 *
 * On a cycle each arrival over an edge is a visit of its own; a join there takes one arrival from each edge of the cycle
 * (or so many as it counts). An edge to a node whose `max_visits` are used up is no way. A cycle is over when none of
 * its nodes is under way and nothing can enter it any more: only then the edges out of it that were never taken are dead.
 */
import type { JsonObject, JsonValue } from '../core/json.ts';
import { holds } from './graph-condition.ts';
import type { Graph, GraphEdge, GraphNode } from './graph-definition.ts';
import type { GraphView, NodeView } from './graph-reference.ts';
import { edgesOf, loopsOf, startsOf } from './graph-shape.ts';

/** One time at a node; visits count from 1. */
export interface Visit {
  readonly node: string;
  readonly visit: number;
}

export type NodeOutcome = Visit &
  (
    | { readonly status: 'completed'; readonly output: JsonValue }
    | { readonly status: 'failed'; readonly error: string }
  );

export interface GraphProgress {
  /** Visits whose turn has come and that have not ended, in the order in which their turn came. */
  readonly ready: readonly Visit[];
  /** Nodes that will not come any more, in the order in which that was decided. */
  readonly skipped: readonly string[];
  /** The nodes over whose edges a visit was arrived at, by `node/visit`; for what a node is given. */
  readonly arrivedFrom: ReadonlyMap<string, readonly string[]>;
  readonly view: GraphView;
  /** Nothing is ready and nothing ever will be. */
  readonly ended: boolean;
}

/** Many more visits than any sensible graph needs: cycles inside of cycles multiply. */
export const MAX_TOTAL_VISITS = 1_000;

export function visitName({ node, visit }: Visit): string {
  return `${node}/${visit}`;
}

/** @param outcomes in the order in which the visits ended; of visits that this function made ready */
export function planGraph(graph: Graph, input: JsonObject, outcomes: readonly NodeOutcome[]): GraphProgress {
  const board = createBoard(graph, input);
  board.begin();
  for (const outcome of outcomes) board.note(outcome);
  return board.plan();
}

type EdgeState = 'open' | 'taken' | 'dead';

/** What is decided so far. Everything that follows from a decision is worked off in the order in which it came up. */
function createBoard(graph: Graph, input: JsonObject) {
  const { out, into } = edgesOf(graph);
  const loops = loopsOf(graph);
  const starts = startsOf(graph);
  const nodes = new Map(graph.nodes.map((node) => [node.id, node]));
  const edgeStates = new Map<GraphEdge, EdgeState>(graph.edges.map((edge) => [edge, 'open']));
  /** Arrivals at nodes on cycles that no visit has used yet. */
  const arrivals = new Map<GraphEdge, number>();
  const begun = new Map<string, number>();
  const ready = new Map<string, Visit>();
  const skipped = new Set<string>();
  const arrivedFrom = new Map<string, readonly string[]>();
  const views = new Map<string, NodeView>(
    graph.nodes.map(({ id }) => [id, { status: 'waiting', output: null, error: null, visits: 0 }]),
  );
  const todo: (() => void)[] = [];
  /** Cycles, by their first node, that may be over. */
  const closing = new Set<string>();

  const view = (): GraphView => ({ input, nodes: Object.fromEntries(views) });
  const isInside = ({ from, to }: GraphEdge) => loops.has(to) && loops.get(from) === loops.get(to);

  function workOff(): void {
    for (;;) {
      const next = todo.shift();
      if (next !== undefined) {
        next();
        continue;
      }
      // Only when nothing is left to be worked off: all of it may lead into a cycle.
      const [loop] = closing;
      if (loop === undefined) return;
      closing.delete(loop);
      closeLoop(loop);
    }
  }

  function visitNow(id: string, from: readonly string[]): void {
    const visit = (begun.get(id) ?? 0) + 1;
    begun.set(id, visit);
    ready.set(`${id}/${visit}`, { node: id, visit });
    arrivedFrom.set(`${id}/${visit}`, from);
    const before = views.get(id);
    if (before !== undefined) views.set(id, { ...before, status: 'running' });
  }

  function skip(id: string): void {
    if (skipped.has(id) || begun.has(id)) return;
    skipped.add(id);
    const before = views.get(id);
    if (before !== undefined) views.set(id, { ...before, status: 'skipped' });
    // The edges inside of a cycle are never dead: the cycle is over as a whole.
    for (const edge of out.get(id) ?? []) if (!isInside(edge)) decide(edge, 'dead');
  }

  function decide(edge: GraphEdge, state: 'taken' | 'dead'): void {
    if (edgeStates.get(edge) !== 'open' && !isInside(edge)) return;
    edgeStates.set(edge, state);
    const loop = loops.get(edge.to);
    if (loop === undefined) {
      todo.push(() => consider(edge.to));
      return;
    }
    closing.add(loop);
    if (state === 'dead') return;
    arrivals.set(edge, (arrivals.get(edge) ?? 0) + 1);
    todo.push(() => arrive(edge));
  }

  /** A node off all cycles: whether its turn has come, or never will. */
  function consider(id: string): void {
    if (begun.has(id) || skipped.has(id)) return;
    const edges = into.get(id) ?? [];
    const taken = edges.filter((edge) => edgeStates.get(edge) === 'taken');
    const open = edges.filter((edge) => edgeStates.get(edge) === 'open').length;
    const wanted = wantedOf(nodes.get(id));
    const enough = wanted === 'all' ? open === 0 && taken.length > 0 : taken.length >= wanted;
    const from = taken.map((edge) => edge.from);
    if (enough) visitNow(id, from);
    else if (open === 0) skip(id);
  }

  /** A node on a cycle was arrived at: whether there are the arrivals for a visit now. */
  function arrive(latest: GraphEdge): void {
    const id = latest.to;
    const used = arrivalsFor(id, latest);
    if (used === undefined || isUsedUp(id)) return;
    for (const edge of used) arrivals.set(edge, (arrivals.get(edge) ?? 1) - 1);
    visitNow(
      id,
      used.map(({ from }) => from),
    );
  }

  /** The arrivals that a visit would use, if there are enough. */
  function arrivalsFor(id: string, latest: GraphEdge): readonly GraphEdge[] | undefined {
    const node = nodes.get(id);
    const wanted = node?.type === 'join' ? wantedOf(node) : 1;
    if (wanted === 1) return [latest];
    const edges = into.get(id) ?? [];
    const there = edges.filter((edge) => (arrivals.get(edge) ?? 0) > 0);
    const count = wanted === 'all' ? edges.length : wanted;
    return there.length < count ? undefined : there.slice(0, count);
  }

  /** Ends a cycle when nothing of it is under way and nothing can enter it any more. */
  function closeLoop(loop: string): void {
    const members = graph.nodes.map(({ id }) => id).filter((id) => loops.get(id) === loop);
    const isBusy = [...ready.values()].some(({ node }) => loops.get(node) === loop);
    const isEnterable = members.some((id) =>
      (into.get(id) ?? []).some((edge) => !isInside(edge) && edgeStates.get(edge) === 'open'),
    );
    if (isBusy || isEnterable) return;
    for (const id of members) {
      skip(id);
      for (const edge of out.get(id) ?? []) if (!isInside(edge)) decide(edge, 'dead');
    }
  }

  /** Whether the way to a node on a cycle is used up. */
  function isUsedUp(id: string): boolean {
    const bound = nodes.get(id)?.max_visits;
    if (bound === undefined || !loops.has(id)) return false;
    return (begun.get(id) ?? 0) >= bound;
  }

  function leave(id: string): void {
    const now = view();
    const edges = out.get(id) ?? [];
    const isWay = ({ to }: GraphEdge) => !isUsedUp(to);
    const taken = edges.filter(
      (edge) => !edge.default && isWay(edge) && (edge.when === undefined || holds(edge.when, now)),
    );
    const chosen = taken.length > 0 ? taken : edges.filter((edge) => edge.default && isWay(edge));
    for (const edge of edges) {
      if (chosen.includes(edge)) decide(edge, 'taken');
      else if (!loops.has(id)) decide(edge, 'dead');
    }
    const loop = loops.get(id);
    if (loop !== undefined) closing.add(loop);
  }

  return {
    begin(): void {
      for (const id of starts) visitNow(id, []);
      workOff();
    },

    note(outcome: NodeOutcome): void {
      if (!ready.delete(visitName(outcome))) throw new Error(`${visitName(outcome)} ended, but was not under way`);
      const visits = (views.get(outcome.node)?.visits ?? 0) + 1;
      const isCompleted = outcome.status === 'completed';
      views.set(outcome.node, {
        status: outcome.status,
        output: isCompleted ? outcome.output : null,
        error: isCompleted ? null : outcome.error,
        visits,
      });
      leave(outcome.node);
      workOff();
    },

    plan(): GraphProgress {
      return {
        ready: [...ready.values()],
        skipped: [...skipped],
        arrivedFrom,
        view: view(),
        ended: ready.size === 0,
      };
    },
  };
}

/** How many branches a node waits for. */
function wantedOf(node: GraphNode | undefined): number | 'all' {
  if (node?.type !== 'join' || node.wait === 'all') return 'all';
  return node.wait === 'any' ? 1 : node.wait.count;
}
