/**
 * Graph: nodes that do something and edges that say what comes after what, as the request defines them. Everything whose
 * turn has come is under way at the same time. What became of a visit is written to the log before anything follows from
 * it; a resumed run takes the outcomes in the order of the log, so that the same follows again.
 */
import type { Agent } from '../agents/agent.ts';
import type { Assignment } from '../agents/brief.ts';
import { AosError } from '../core/errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../core/json.ts';
import type { RunFailure } from '../runs/run.ts';
import type { Attempt } from './attempt.ts';
import type { Graph, GraphNode } from './graph-definition.ts';
import { openGraphLog } from './graph-log.ts';
import { isNodeFailure, performNode } from './graph-node.ts';
import {
  type GraphProgress,
  MAX_TOTAL_VISITS,
  type NodeOutcome,
  planGraph,
  type Visit,
  visitName,
} from './graph-plan.ts';
import { asText, fillIn } from './graph-reference.ts';
import { agentIdsOf, graphOf, toolNamesOf } from './graph-rules.ts';
import { closable } from './graph-scope.ts';
import { endsOf, reachableFrom, startsOf } from './graph-shape.ts';
import type { OrchestrationSetting, Pattern } from './pattern.ts';
import { configOf, type Plan, wholeNumber } from './plan.ts';
import { resultOf } from './result.ts';

export interface GraphPlan extends Plan {
  readonly graph: Graph;
}

export const graph: Pattern<GraphPlan> = {
  name: 'graph',
  version: 1,
  plan,
  run,
  agentIds: (request) => agentIdsOf(graphOf(request)),
  toolNames: (request) => toolNamesOf(graphOf(request)),
};

function plan(request: JsonObject, all: readonly Agent[]): GraphPlan {
  const definition = graphOf(request);
  const wanted = agentIdsOf(definition);
  const agents = wanted.flatMap((id) => all.find((agent) => agent.agent_id === id) ?? []);
  const missing = wanted.filter((id) => !agents.some((agent) => agent.agent_id === id));
  if (missing.length > 0) {
    throw new AosError('invalid_request', `the graph names ${missing.join(', ')}, which "agent_ids" leaves out`);
  }
  const most = wholeNumber(configOf(request), 'max_turns') ?? Number.MAX_SAFE_INTEGER;
  return {
    workflow: 'graph',
    graph: definition,
    agents,
    phases: phasesOf(definition),
    roundCount: 1,
    // A graph without agents has no turns, and its progress no share of them.
    plannedTurns: Math.max(1, Math.min(most, mostTurns(definition))),
    skipped: [],
    continueOnError: false,
  };
}

/** The agents' nodes by how far they are from the start, as turns of the first visit. */
function phasesOf(definition: Graph): string[][] {
  const phases: string[][] = [];
  const seen = new Set<string>();
  for (let here = startsOf(definition); here.length > 0; ) {
    for (const id of here) seen.add(id);
    phases.push(
      definition.nodes.filter(({ id, type }) => type === 'agent' && here.includes(id)).map(({ id }) => `${id}/1`),
    );
    const next = definition.edges.filter(({ from, to }) => here.includes(from) && !seen.has(to)).map(({ to }) => to);
    here = [...new Set(next)];
  }
  return phases.filter((phase) => phase.length > 0);
}

/** At most so many turns: every visit a node may have, and every item of its list. */
function mostTurns(definition: Graph): number {
  const visitsOf = (node: GraphNode): number => {
    if (!reachableFrom([node.id], definition).has(node.id)) return 1;
    return node.max_visits ?? Math.max(1, ...definition.nodes.map(({ max_visits = 1 }) => max_visits));
  };
  return definition.nodes.reduce((sum, node) => {
    if (node.type !== 'agent') return sum;
    const tries = typeof node.on_error === 'string' ? 1 : node.on_error.retry + 1;
    return sum + visitsOf(node) * tries * (node.for_each?.max_items ?? 1);
  }, 0);
}

/** A visit that has ended, before the graph goes on from it. */
type Ended = { readonly node: GraphNode; readonly visit: Visit } & (
  | { readonly output: JsonValue }
  | { readonly failure: RunFailure }
);

async function run(given: OrchestrationSetting, work: GraphPlan, assignment: Assignment): Promise<JsonObject> {
  const { scope, close } = closable(given.scope);
  const setting: OrchestrationSetting = { ...given, scope };
  const definition = work.graph;
  const input = inputOf(given.request);
  const nodes = new Map(definition.nodes.map((node) => [node.id, node]));
  const log = await openGraphLog(scope);
  const turns = new Map<string, Attempt[]>();
  const underWay = new Map<string, Promise<Ended>>();
  const outcomes: NodeOutcome[] = [];

  function nodeOf(id: string): GraphNode {
    const node = nodes.get(id);
    if (node === undefined) throw new Error(`the graph has no node ${id}`);
    return node;
  }

  async function perform(visit: Visit, { view, arrivedFrom }: GraphProgress): Promise<Ended> {
    const node = nodeOf(visit.node);
    const own: Attempt[] = [];
    turns.set(visitName(visit), own);
    await log.started(node, visit);
    const from = arrivedFrom.get(visitName(visit)) ?? [];
    const noteTurn = (attempt: Attempt) => own.push(attempt);
    try {
      const output = await performNode(setting, { node, visit, from, view, assignment, noteTurn });
      return { node, visit, output };
    } catch (thrown) {
      scope.signal.throwIfAborted();
      if (!isNodeFailure(thrown)) throw thrown;
      return { node, visit, failure: { code: thrown.code, message: thrown.message } };
    }
  }

  /** Writes down what became of the visit. @throws AosError when the run fails with it */
  async function settle(ended: Ended): Promise<NodeOutcome> {
    const { node, visit } = ended;
    if (!('failure' in ended)) {
      await log.completed(node, visit, ended.output);
      return { ...visit, status: 'completed', output: ended.output };
    }
    const { code, message } = ended.failure;
    const continued = (typeof node.on_error === 'string' ? node.on_error : node.on_error.else) === 'continue';
    await log.failed(node, visit, ended.failure, continued);
    if (continued) return { ...visit, status: 'failed', error: message };
    await close();
    throw new AosError(code, `the node "${node.id}" failed: ${message}`);
  }

  for (;;) {
    const progress = planGraph(definition, input, outcomes);
    for (const id of progress.skipped) await log.skipped(nodeOf(id));
    if (progress.ended) return conclude(setting, work, progress, outcomes, turns);
    if (outcomes.length >= MAX_TOTAL_VISITS) {
      throw new AosError('limit_exceeded', `the graph made ${MAX_TOTAL_VISITS} visits without coming to an end`);
    }
    for (const visit of progress.ready) {
      const name = visitName(visit);
      if (underWay.has(name)) continue;
      const performing = perform(visit, progress);
      // Nobody waits for it any more when the run ends before it.
      performing.catch(() => {});
      underWay.set(name, performing);
    }
    const next = underWay.get(log.ended[outcomes.length] ?? '');
    const ended = await (next ?? Promise.race(underWay.values()));
    underWay.delete(visitName(ended.visit));
    outcomes.push(await settle(ended));
  }
}

/** What paths that begin with `input` lead into. */
function inputOf({ task, context, purpose }: JsonObject): JsonObject {
  return { task: task ?? {}, context: context ?? {}, purpose: purpose ?? null };
}

function conclude(
  setting: OrchestrationSetting,
  work: GraphPlan,
  { view }: GraphProgress,
  outcomes: readonly NodeOutcome[],
  turns: ReadonlyMap<string, readonly Attempt[]>,
): JsonObject {
  const attempts = outcomes.flatMap((outcome) =>
    [...(turns.get(visitName(outcome)) ?? [])].sort((one, other) =>
      one.turn.name.localeCompare(other.turn.name, 'en', { numeric: true }),
    ),
  );
  const { output } = work.graph;
  const result: JsonValue = output === undefined ? lastWords(work.graph, view.nodes) : fillIn(output, view);
  const summary = asText(result);
  return resultOf({
    setting,
    plan: work,
    attempts,
    summary: summary.trim() === '' ? 'The graph came to its end.' : summary,
    extra: { nodes: view.nodes, ...(isJsonObject(result) || Array.isArray(result) ? { output: result } : {}) },
  });
}

/** The outputs of the nodes that no edge leaves, as far as they came. */
function lastWords(definition: Graph, views: GraphProgress['view']['nodes']): string {
  const came = endsOf(definition).filter((id) => views[id]?.status === 'completed');
  return came
    .map((id) => asText(views[id]?.output))
    .filter((text) => text.trim() !== '')
    .join('\n\n');
}
