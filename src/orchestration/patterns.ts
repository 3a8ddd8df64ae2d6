/** The patterns of this build, and which of them a request asks for. */

import type { Agent } from '../agents/agent.ts';
import { closest } from '../core/closest.ts';
import { AosError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import type { Run } from '../runs/run.ts';
import { collaborative } from './collaborative.ts';
import { concurrent } from './concurrent.ts';
import { graph } from './graph.ts';
import { groupChat } from './group-chat.ts';
import { handoff } from './handoff.ts';
import { hierarchical } from './hierarchical.ts';
import { newestPattern, type Pattern, type PatternRegistry, registryOf } from './pattern.ts';
import { perpetual } from './perpetual.ts';
import { sequential } from './sequential.ts';

export const patterns: PatternRegistry = registryOf([
  sequential,
  concurrent,
  collaborative,
  hierarchical,
  groupChat,
  handoff,
  graph,
  perpetual,
]);

/** The names a request may use. */
export const workflows: readonly string[] = [...new Set(Object.values(patterns).map(({ name }) => name))];

/** Used when a request names none. */
const USUAL_WORKFLOW = 'collaborative';

/** The name of the pattern a request asks for. Work that has a purpose and no task has no end. */
export function workflowOf({ workflow, task, purpose }: JsonObject): string {
  const name = workflow === undefined || workflow === null || workflow === '' ? USUAL_WORKFLOW : String(workflow);
  const endless = (task === undefined || task === null) && purpose !== undefined && purpose !== null;
  return endless && name !== graph.name && workflows.includes(name) ? perpetual.name : name;
}

/** What a run does, in one word: the workflow of an orchestration, `chat`, or `task:` and the type of the task. */
export function workflowOfRun({ kind, request }: Pick<Run, 'kind' | 'request'>): string {
  if (kind === 'chat') return 'chat';
  return kind === 'task' ? `task:${String(request['task_type'] ?? '')}` : workflowOf(request);
}

/** The pattern a request asks for, in its newest version. @throws AosError invalid_request */
export function patternFor(request: JsonObject): Pattern {
  const name = workflowOf(request);
  const pattern = newestPattern(patterns, name);
  if (pattern !== undefined) return pattern;
  throw new AosError(
    'invalid_request',
    `there is no workflow "${name}"${closest(name, workflows, ', did you mean "%s"?')} (there are: ${workflows.join(', ')})`,
  );
}

/** Whether the agents of a request take messages while it runs. */
export function hearsMessages(request: JsonObject): boolean {
  return newestPattern(patterns, workflowOf(request))?.hearsMessages ?? false;
}

/** The agents a request names, each once. */
export function agentIdsOf(pattern: Pattern, request: JsonObject): readonly string[] {
  const listed = Array.isArray(request['agent_ids']) ? request['agent_ids'].map(String) : [];
  return [...new Set([...listed, ...(pattern.agentIds?.(request) ?? [])])];
}

/** The agents that a pattern plans with: those in `agent_ids`, or all where it finds its agents elsewhere too. */
export function membersOf(
  { agentIds }: Pattern,
  { agent_ids: ids }: JsonObject,
  agents: readonly Agent[],
): readonly Agent[] {
  if (agentIds !== undefined) return agents;
  const listed = Array.isArray(ids) ? ids : [];
  return listed.flatMap((id) => agents.find((agent) => agent.agent_id === id) ?? []);
}
