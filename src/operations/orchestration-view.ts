/**
 * An orchestration as the seed systems' clients see it. There are two generations, told apart once, when it is
 * submitted: *finite* work has a task and ends by itself, *perpetual* work has a purpose and goes on until it is
 * stopped. Each has its own closed list of status words, and its clients refuse any other.
 */
import { z } from 'zod';
import { isJsonObject, type JsonObject } from '../core/json.ts';
import { workflowOf } from '../orchestration/patterns.ts';
import { perpetual } from '../orchestration/perpetual.ts';
import { isTerminal, type Run, type RunStatus } from '../runs/run.ts';
import { agentId, freeForm, protocolId, time } from './field.ts';

export type OrchestrationKind = 'finite' | 'perpetual';

const FINITE_WORDS: Readonly<Record<RunStatus, string>> = {
  queued: 'pending',
  running: 'running',
  waiting: 'running',
  completed: 'completed',
  failed: 'failed',
  timed_out: 'failed',
  cancelled: 'cancelled',
};
const PERPETUAL_WORDS: Readonly<Record<RunStatus, string>> = {
  ...FINITE_WORDS,
  running: 'active',
  waiting: 'active',
  completed: 'stopped',
};

/** Every word of either generation. */
export const statusWords = ['pending', 'running', 'active', 'completed', 'stopped', 'failed', 'cancelled'] as const;

export const orchestrationStatus = z
  .object({
    orchestration_id: protocolId,
    status: z.enum(statusWords).meta({
      description:
        'finite: pending, running, completed, failed, cancelled; perpetual: pending, active, stopped, failed, cancelled',
    }),
    agent_ids: z.array(agentId),
    kind: z.enum(['finite', 'perpetual']),
    workflow: z.string(),
    purpose: z.string().nullable(),
    progress: z.number().min(0).max(1).meta({ description: 'Share that is done; never falls. 0 for perpetual work' }),
    waiting_for: z.string().nullable().meta({ description: 'What it waits for, e.g. approval; else null' }),
    created_at: time,
    updated_at: time,
    completed_at: time.nullable(),
    error: z.string().nullable(),
    simulated: z.boolean().meta({ description: 'Whether the simulated model answers instead of a real one' }),
    simulation: z.boolean().meta({ description: 'Whether it reaches nothing outside' }),
    last_update: z.int().meta({ description: 'Number of the newest update: where to go on with ?after=' }),
    links: z.object({ self: z.string(), result: z.string(), updates: z.string(), invocation: z.string() }),
  })
  .meta({ id: 'OrchestrationStatus', description: 'An orchestration as it is' });

const agentResult = z
  .looseObject({ status: z.string(), output: z.unknown(), turns: z.int() })
  .meta({ id: 'OrchestrationAgentResult', description: 'What one agent did' });

export const orchestrationResult = z
  .looseObject({
    orchestration_id: protocolId,
    status: z.enum(statusWords),
    agent_ids: z.array(agentId),
    results: z.record(z.string(), agentResult).meta({ description: 'By agent' }),
    summary: z.string().nullable(),
    created_at: time,
    completed_at: time.nullable(),
    duration_seconds: z.number().nullable(),
    error: z.string().nullable(),
    usage: freeForm.nullable().meta({ description: 'Tokens and cost, counted once where they arose' }),
  })
  .meta({ id: 'OrchestrationResult', description: 'What an orchestration produced' });

/** What the run's own record does not hold: how far it is, and when something last happened. */
export interface Pulse {
  readonly progress: number;
  readonly updatedAt: string;
}

export function kindOf({ request }: Run): OrchestrationKind {
  return workflowOf(request) === perpetual.name ? 'perpetual' : 'finite';
}

export function statusOf(run: Run): (typeof statusWords)[number] {
  return (kindOf(run) === 'finite' ? FINITE_WORDS : PERPETUAL_WORDS)[run.status] as (typeof statusWords)[number];
}

/** The statuses of runs that some word stands for. */
export function statusesOf(word: (typeof statusWords)[number]): RunStatus[] {
  const statuses = Object.keys(FINITE_WORDS) as RunStatus[];
  return statuses.filter((status) => FINITE_WORDS[status] === word || PERPETUAL_WORDS[status] === word);
}

export function viewStatus(run: Run, pulse: Pulse): z.infer<typeof orchestrationStatus> {
  const self = `/api/orchestrations/${encodeURIComponent(run.id)}`;
  return {
    orchestration_id: run.id,
    status: statusOf(run),
    agent_ids: agentIdsOf(run),
    kind: kindOf(run),
    workflow: String(run.request['workflow'] ?? 'collaborative'),
    purpose: purposeOf(run),
    progress: run.status === 'completed' ? 1 : pulse.progress,
    waiting_for: run.waitingFor,
    created_at: run.createdAt,
    updated_at: run.completedAt ?? pulse.updatedAt,
    completed_at: run.completedAt,
    error: errorOf(run),
    simulated: run.simulated,
    simulation: run.simulation,
    last_update: run.lastEvent,
    links: {
      self,
      result: `${self}/result`,
      updates: `${self}/updates`,
      invocation: `/invocations/${encodeURIComponent(run.id)}`,
    },
  };
}

/** @param partial what the agents had said so far, for a run that has no result */
export function viewResult(run: Run, partial: JsonObject): z.infer<typeof orchestrationResult> {
  const result = run.result ?? {};
  const end = run.completedAt;
  return {
    ...result,
    orchestration_id: run.id,
    status: statusOf(run),
    agent_ids: agentIdsOf(run),
    results: (isJsonObject(result['results']) ? result['results'] : partial) as Record<string, AgentResult>,
    summary: typeof result['summary'] === 'string' ? result['summary'] : null,
    created_at: run.createdAt,
    completed_at: end,
    duration_seconds: end === null ? null : (Date.parse(end) - Date.parse(run.startedAt ?? run.createdAt)) / 1000,
    error: errorOf(run),
    usage: isJsonObject(result['usage']) ? result['usage'] : null,
  };
}

type AgentResult = z.infer<typeof agentResult>;

export function hasEnded(run: Run): boolean {
  return isTerminal(run.status);
}

function agentIdsOf({ request }: Run): string[] {
  const ids = request['agent_ids'];
  return Array.isArray(ids) ? ids.map(String) : [];
}

function purposeOf({ request }: Run): string | null {
  const { purpose } = request;
  if (typeof purpose === 'string') return purpose;
  return isJsonObject(purpose) && typeof purpose['purpose'] === 'string' ? purpose['purpose'] : null;
}

function errorOf(run: Run): string | null {
  return run.error?.message ?? (run.status === 'cancelled' ? (run.cancelReason ?? 'cancelled') : null);
}
