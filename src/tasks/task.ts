/**
 * A task: a unit of work that waits in line for a worker. Each of its attempts is a run of its own (kind `task`, id
 * `<task>.<attempt>`), so what an attempt does is as durable and as visible as any run. What was submitted never
 * changes; storing the rest is `task-store.ts`.
 */
import { createHash } from 'node:crypto';
import { AGENT_ID } from '../agents/agent.ts';
import { AosError, type ErrorCode } from '../core/errors.ts';
import { canonicalJson, isJsonObject, type JsonObject } from '../core/json.ts';
import type { Caller, WaitReason } from '../runs/run.ts';
import type { Priority } from './priority.ts';
import type { TaskStatus } from './task-state.ts';

export const taskTypes = [
  'agent_run',
  'fabric_action',
  'scheduled_job',
  'orchestration',
  'evaluation',
  'health_check',
] as const;
export type TaskType = (typeof taskTypes)[number];

/** What a caller submits, with everything filled in; the names are those of the wire. */
export type TaskSubmission = {
  task_type: TaskType;
  priority: Priority;
  payload: JsonObject;
  agent_id: string | null;
  /** A run of the caller's own that the task belongs to. */
  run_id: string | null;
  /** ISO-8601 UTC. */
  scheduled_at: string | null;
  /** Of each attempt. */
  timeout_seconds: number;
  /** Retries after the first attempt. */
  max_retries: number;
  target_system: string | null;
  action_type: string | null;
  raci_responsible: string;
  raci_accountable: string | null;
  raci_consulted: string[];
  raci_informed: string[];
  metadata: JsonObject;
  simulation: boolean;
};

export type NewTask = Pick<TaskSubmission, 'task_type'> & Partial<TaskSubmission>;

export const timeoutBounds = { min: 30, max: 3600, default: 300 } as const;
export const retryBounds = { min: 0, max: 10, default: 3 } as const;

export type TaskFailure = { readonly code: ErrorCode; readonly message: string };

/** Which task, among those of all tenants: ids are chosen by callers, and each tenant has its own. */
export type TaskKey = { readonly tenantId: string; readonly taskId: string };

export function keyOfTask({ id, caller }: Pick<Task, 'id' | 'caller'>): TaskKey {
  return { tenantId: caller.tenantId, taskId: id };
}

/** A key as one word, for maps and notifications: `<tenant>/<id>`. Names of tenants have no slash. */
export function taskName({ tenantId, taskId }: TaskKey): string {
  return `${tenantId}/${taskId}`;
}

/** The key of such a word. */
export function taskNamed(name: string): TaskKey {
  const slash = name.indexOf('/');
  return { tenantId: name.slice(0, slash), taskId: name.slice(slash + 1) };
}

export interface Task {
  /** Unique within its tenant. */
  readonly id: string;
  /** Order of submission. */
  readonly seq: string;
  readonly caller: Caller;
  readonly submission: TaskSubmission;
  readonly status: TaskStatus;
  readonly statusMessage: string | null;
  /** What the run of the attempt waits for while no worker has the task. */
  readonly waitingFor: WaitReason | null;
  /** The fabric context of its tenant when it was submitted; null where there is no fabric. */
  readonly fabric: JsonObject | null;
  readonly traceparent: string | null;
  /** The run that its attempts are children of; null when nobody's run asked for it. */
  readonly parentRunId: string | null;
  /** Whether it came in on condition that somebody agrees, before its first attempt begins. */
  readonly held: boolean;
  readonly callId: string;
  /** All times ISO-8601 UTC. */
  readonly createdAt: string;
  /** When a pending or retrying task may be taken by a worker. */
  readonly dueAt: string;
  readonly assignedAt: string | null;
  readonly startedAt: string | null;
  readonly completedAt: string | null;
  readonly retryCount: number;
  /** From 1. */
  readonly attempt: number;
  readonly lastError: TaskFailure | null;
  readonly result: JsonObject | null;
  /** The worker that has it, or had it last. */
  readonly workerId: string | null;
  /** Which of its claims this is; a worker's word counts only while it is the last. */
  readonly claim: number;
  /** Whether a worker has it now. */
  readonly isClaimed: boolean;
}

/** Id of the run of an attempt. */
export function attemptRunId({ id, attempt }: Pick<Task, 'id' | 'attempt'>): string {
  return `${id}.${attempt}`;
}

/** The task that the run of an attempt belongs to. */
export function taskIdOf(attemptRun: string): string {
  return attemptRun.slice(0, attemptRun.lastIndexOf('.'));
}

/** Fills in what was left out, and checks what each type of task needs. @throws AosError unprocessable (INVALID_TASK) */
export function submissionOf(given: NewTask): TaskSubmission {
  const submission: TaskSubmission = {
    task_type: given.task_type,
    priority: given.priority ?? 'normal',
    payload: given.payload ?? {},
    agent_id: given.agent_id ?? null,
    run_id: given.run_id ?? null,
    scheduled_at: given.scheduled_at ?? null,
    timeout_seconds: given.timeout_seconds ?? timeoutBounds.default,
    max_retries: given.max_retries ?? retryBounds.default,
    target_system: given.target_system ?? null,
    action_type: given.action_type ?? null,
    raci_responsible: given.raci_responsible ?? 'AOA',
    raci_accountable: given.raci_accountable ?? null,
    raci_consulted: given.raci_consulted ?? [],
    raci_informed: given.raci_informed ?? [],
    metadata: given.metadata ?? {},
    simulation: given.simulation ?? false,
  };
  const fault = faultOf(submission);
  if (fault !== undefined) throw new AosError('unprocessable', fault, { reason: 'INVALID_TASK' });
  return submission;
}

/** The agent a task is counted with: its own, or the one its payload names. */
export function agentOfTask({ agent_id, payload }: Pick<TaskSubmission, 'agent_id' | 'payload'>): string | undefined {
  const named = agent_id ?? payload['agent'];
  return typeof named === 'string' && named !== '' ? named : undefined;
}

function faultOf(submission: TaskSubmission): string | undefined {
  const { task_type: type, payload, target_system, action_type } = submission;
  const agent = agentOfTask(submission);
  if (agent !== undefined && !AGENT_ID.test(agent)) {
    return `"${agent}" is no agent id: expected 1 to 128 of the characters A-Z a-z 0-9 . _ : -`;
  }
  switch (type) {
    case 'agent_run':
      if (agent === undefined) return 'agent_run needs agent_id or payload.agent';
      return hasContent(payload['input']) ? undefined : 'agent_run needs payload.input, a text or an object';
    case 'fabric_action':
      return target_system && action_type ? undefined : 'fabric_action needs target_system and action_type';
    case 'orchestration':
      return Array.isArray(payload['agent_ids']) || isJsonObject(payload['graph'])
        ? undefined
        : 'orchestration needs a payload like the body of POST /api/orchestrations: agent_ids, workflow, task';
    case 'evaluation':
      if (agent === undefined && typeof payload['run_id'] !== 'string') return 'evaluation needs agent_id';
      return Array.isArray(payload['cases']) && payload['cases'].length > 0
        ? undefined
        : 'evaluation needs payload.cases, a list of at least one';
    case 'scheduled_job':
    case 'health_check':
      return undefined;
  }
}

function hasContent(value: JsonObject[string] | undefined): boolean {
  return (typeof value === 'string' && value !== '') || isJsonObject(value);
}

/** SHA-256 of the submission's canonical JSON, hex: what "the same submission" means. */
export function hashSubmission(submission: TaskSubmission): string {
  return createHash('sha256').update(canonicalJson(submission)).digest('hex');
}
