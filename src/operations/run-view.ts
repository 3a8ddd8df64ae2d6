/** How runs, their waits, events and steps look to those who manage them. */
import { z } from 'zod';
import { catalogue, type ErrorCode } from '../core/errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../core/json.ts';
import { isSettlement } from '../engine/settlement.ts';
import { limitKeys, limitsOf } from '../orchestration/limits.ts';
import { workflowOf } from '../orchestration/patterns.ts';
import { configOf } from '../orchestration/plan.ts';
import type { RunEvent, TurnUsage } from '../runs/event.ts';
import { isTerminal, type Run, runKinds, runStatuses, waitReasons } from '../runs/run.ts';
import type { OpenWait } from '../runs/run-insight.ts';
import type { RecordedStep } from '../runs/run-store.ts';
import { freeForm, protocolId, time } from './field.ts';

export const RUNS_PATH = '/api/v1/aoa/runs';

const codes = Object.keys(catalogue) as [ErrorCode, ...ErrorCode[]];
const failure = z.object({ code: z.enum(codes), message: z.string() });
const json = z.unknown() as z.ZodType<JsonValue>;

export const forkOrigin = z.object({
  run_id: protocolId,
  step: z.string().meta({ description: 'The first step that is done again; empty for none in particular' }),
});

const summary = {
  run_id: protocolId,
  kind: z.enum(runKinds),
  status: z.enum(runStatuses),
  waiting_for: z.enum(waitReasons).nullable(),
  wake_at: time.nullable().meta({ description: 'When its first wait with a deadline ends by itself' }),
  workflow: z.string().nullable(),
  session_id: z.string(),
  user_id: z.string(),
  actor: z.string(),
  lineage: z.object({
    parent_id: protocolId.nullable(),
    root_id: protocolId,
    depth: z.int(),
    fork_of: forkOrigin.nullable(),
  }),
  definition: z.string().nullable().meta({ description: 'Hash of what it is pinned to' }),
  priority: z.int(),
  simulated: z.boolean(),
  simulation: z.boolean().meta({ description: 'Whether it reaches nothing outside' }),
  error: failure.nullable(),
  cancel_reason: z.string().nullable().meta({ description: 'Set as soon as somebody asked to cancel' }),
  last_event: z.int(),
  created_at: time,
  started_at: time.nullable(),
  completed_at: time.nullable(),
  deadline_at: time.nullable(),
  links: z.object({ self: z.string(), events: z.string(), invocation: z.string() }),
};

export const runSummary = z.object(summary).meta({ id: 'RunSummary', description: 'A run, in short' });

const openWait = z.object({
  name: z.string(),
  signal: z.string().meta({ description: 'The name of the signal that ends it' }),
  reason: z.enum(waitReasons),
  until: time.nullable(),
  approval_id: z.string().nullable(),
  detail: freeForm,
});

const limit = z.number().nullable().meta({ description: 'null: no limit' });

export const runDetail = z
  .object({
    ...summary,
    waits: z.array(openWait),
    usage: z.object({ tokens_input: z.int(), tokens_output: z.int(), cost_usd: z.number().nullable() }),
    limits: z.object({
      max_turns: limit,
      max_tokens: limit,
      max_cost_usd: limit,
      max_tool_calls: limit,
      max_depth: limit,
    }),
    children: z.array(z.object({ run_id: protocolId, status: z.enum(runStatuses), workflow: z.string().nullable() })),
    request: freeForm,
    result: freeForm.nullable(),
  })
  .meta({ id: 'RunDetail', description: 'A run with all there is to know of it' });

export const runEvent = z
  .object({
    seq: z.int(),
    type: z.string(),
    at: time,
    actor: z.string(),
    trace_id: z.string().nullable(),
    hash: z.string(),
    prev_hash: z.string(),
    data: freeForm,
  })
  .meta({ id: 'RunEvent', description: 'A numbered fact of a run, with its place in the chain of hashes' });

export const runStep = z
  .object({
    name: z.string(),
    ordinal: z.int(),
    effect: z.enum(['read', 'write', 'external', 'wait']),
    status: z.enum(['completed', 'failed']),
    output: json.optional().meta({ description: 'Only with include_output' }),
    error: failure.nullable(),
    started_at: time,
    completed_at: time,
  })
  .meta({ id: 'RunStep', description: 'A step or wait of a run whose outcome is stored' });

export function viewRun(run: Run): z.input<typeof runSummary> {
  const self = `${RUNS_PATH}/${encodeURIComponent(run.id)}`;
  return {
    run_id: run.id,
    kind: run.kind,
    status: run.status,
    waiting_for: run.status === 'waiting' ? run.waitingFor : null,
    wake_at: run.status === 'waiting' ? run.wakeAt : null,
    workflow: workflowNameOf(run),
    session_id: run.sessionId,
    user_id: run.caller.userId,
    actor: run.actor,
    lineage: {
      parent_id: run.parentId,
      root_id: run.rootId,
      depth: run.depth,
      fork_of: run.forkOf === null ? null : { run_id: run.forkOf.runId, step: run.forkOf.step },
    },
    definition: run.definition,
    priority: run.priority,
    simulated: run.simulated,
    simulation: run.simulation,
    error: run.error,
    cancel_reason: run.cancelReason,
    last_event: run.lastEvent,
    created_at: run.createdAt,
    started_at: run.startedAt,
    completed_at: run.completedAt,
    deadline_at: run.deadlineAt,
    links: { self, events: `${self}/events`, invocation: `/invocations/${encodeURIComponent(run.id)}` },
  };
}

export function viewRunDetail(
  run: Run,
  known: { readonly waits: readonly OpenWait[]; readonly usage: TurnUsage; readonly children: readonly Run[] },
): z.input<typeof runDetail> {
  return {
    ...viewRun(run),
    waits: known.waits.map(viewWait),
    usage: known.usage,
    limits: viewLimits(run),
    children: known.children.map((child) => ({
      run_id: child.id,
      status: child.status,
      workflow: workflowNameOf(child),
    })),
    request: run.request,
    result: run.result,
  };
}

function viewWait({ name, signal, reason, until, detail }: OpenWait): z.input<typeof openWait> {
  const { approval_id: approvalId } = detail;
  return { name, signal, reason, until, approval_id: typeof approvalId === 'string' ? approvalId : null, detail };
}

function viewLimits(run: Run): z.input<typeof runDetail>['limits'] {
  const planned = workflowNameOf(run) === 'perpetual' ? Number.POSITIVE_INFINITY : 1;
  const limits = limitsOf(configOf(run.request), planned);
  const shown = (max: number) => (Number.isFinite(max) ? max : null);
  return {
    [limitKeys.turns]: shown(limits.turns),
    [limitKeys.tokens]: shown(limits.tokens),
    [limitKeys.cost_usd]: shown(limits.cost_usd),
    [limitKeys.tool_calls]: shown(limits.tool_calls),
    [limitKeys.depth]: shown(limits.depth),
  } as z.input<typeof runDetail>['limits'];
}

/** The workflow of an orchestration; null for what has none. */
export function workflowNameOf({ kind, request }: Run): string | null {
  return kind === 'orchestration' ? workflowOf(request) : null;
}

export function viewRunEvent(event: RunEvent): z.input<typeof runEvent> {
  const { seq, type, at, actor, traceId, hash, prevHash, data } = event;
  return { seq, type, at, actor, trace_id: traceId, hash, prev_hash: prevHash, data: data as JsonObject };
}

export function viewStep(step: RecordedStep, includeOutput: boolean): z.input<typeof runStep> {
  const { name, ordinal, effect, outcome } = step;
  const failed = 'error' in outcome ? outcome.error : undefined;
  return {
    name,
    ordinal,
    effect,
    status: failed === undefined ? 'completed' : 'failed',
    ...(includeOutput && 'value' in outcome ? { output: outcome.value } : {}),
    error: failed === undefined ? null : { code: failed.code, message: failed.message },
    started_at: step.startedAt,
    completed_at: step.completedAt,
  };
}

/** Whether a run can still be told something. */
export function isOver({ status }: Run): boolean {
  return isTerminal(status);
}

/** The reason a signal by hand may not have this name; undefined when it may. */
export function reservedSignal(name: string): string | undefined {
  if (name.startsWith('approval/')) return 'approvals are decided where they are listed, at /api/v1/approvals';
  if (name.startsWith('limit/')) return `a run at a limit is let go on at ${RUNS_PATH}/{run_id}/resume`;
  if (isSettlement(name)) return `an unknown outcome is settled at ${RUNS_PATH}/{run_id}/settle`;
  if (name.startsWith('run/') || name === 'steer') return 'only runs send it';
  return undefined;
}

/** Whether an edited request would make other work of it than what the run is pinned to. */
export function changesDefinition(edited: JsonObject): boolean {
  const config = edited['config'];
  const members = ['workflow', 'agent_ids', 'agent_id', 'graph'];
  return members.some((member) => member in edited) || (isJsonObject(config) && 'graph' in config);
}
