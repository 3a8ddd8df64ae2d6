/**
 * What a graph writes to the log of its run, and reads back when the run is resumed: the beginning and end of every
 * visit, and the nodes that no way leads to any more. The order of the ends is what the graph goes on by.
 */
import type { JsonValue } from '../core/json.ts';
import type { RunScope } from '../engine/engine.ts';
import type { RunEvent } from '../runs/event.ts';
import type { RunFailure } from '../runs/run.ts';
import type { GraphNode } from './graph-definition.ts';
import { type Visit, visitName } from './graph-plan.ts';

export interface GraphLog {
  /** Names of the visits that ended in earlier executions, in the order in which they did. */
  readonly ended: readonly string[];
  started(node: GraphNode, visit: Visit): Promise<void>;
  completed(node: GraphNode, visit: Visit, output: JsonValue): Promise<void>;
  failed(node: GraphNode, visit: Visit, error: RunFailure, continued: boolean): Promise<void>;
  skipped(node: GraphNode): Promise<void>;
}

/** All keys begin so, which is how they are found again. */
const PREFIX = 'node';

export async function openGraphLog(scope: RunScope): Promise<GraphLog> {
  const events = await scope.history({ turn: PREFIX });
  const told = new Set(events.map(({ key }) => key));
  const endOf = (event: RunEvent) =>
    event.type === 'node.completed' || event.type === 'node.failed' ? [visitName(event.data)] : [];

  async function tell(name: string, event: Parameters<RunScope['emit']>[1]): Promise<void> {
    const key = `${PREFIX}:${name}`;
    if (told.has(key)) return;
    told.add(key);
    await scope.emit(key, event);
  }

  const about = (node: GraphNode, { visit }: Visit) => ({ node: node.id, visit, node_type: node.type });
  return {
    ended: events.flatMap(endOf),
    started: (node, visit) =>
      tell(`${visitName(visit)}:started`, {
        type: 'node.started',
        data: { ...about(node, visit), ...(node.title === undefined ? {} : { title: node.title }) },
      }),
    completed: (node, visit, output) =>
      tell(`${visitName(visit)}:ended`, { type: 'node.completed', data: { ...about(node, visit), output } }),
    failed: (node, visit, error, continued) =>
      tell(`${visitName(visit)}:ended`, { type: 'node.failed', data: { ...about(node, visit), error, continued } }),
    skipped: ({ id, type }) => tell(`${id}:skipped`, { type: 'node.skipped', data: { node: id, node_type: type } }),
  };
}
