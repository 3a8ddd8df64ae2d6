/**
 * What the audit log makes of what happened: each event of a run and each fact of the feed that is audited, in the words
 * of the reference. Pure; the tables of types are the database's triggers' own, so that none can be forgotten here.
 *
 * Texts that people wrote (reasons, notes, questions, arguments of tools) stay in the logs of runs and tasks: an entry
 * has ids, states, hashes and numbers, and people by reference.
 */
import type { JsonObject, JsonValue } from '../../core/json.ts';
import type { auditedEvents, auditedFacts } from '../../store/tables/audit.ts';
import type { budgetEvents, budgetFacts } from '../../store/tables/budget.ts';
import type { screeningEvents, screeningFacts } from '../../store/tables/screening.ts';
import type { Actor, AuditAction, AuditOutcome, EntryWords } from './entry.ts';

/** A fact with what is stored of the run or task it happened to. */
export interface Fact {
  readonly type: string;
  readonly subject: string;
  /** ISO-8601 UTC. */
  readonly at: string;
  readonly actor: string | null;
  readonly userId: string;
  readonly traceId: string | null;
  /** Of an event: its number and hash in the run's log. */
  readonly seq: number | null;
  readonly hash: string | null;
  readonly data: JsonObject;
  readonly run?: {
    readonly kind: string;
    readonly userId: string;
    readonly simulation: boolean;
    readonly rootId: string;
  };
  /** The task that an action of a plane was for. */
  readonly taskId?: string;
  readonly task?: { readonly type: string; readonly agentId: string; readonly submission: JsonObject };
}

/** An entry before it is sealed: people are still names, under `people` those of the details. */
export type Draft = Pick<EntryWords, 'action' | 'timestamp' | 'actor' | 'outcome'> &
  Partial<EntryWords> & {
    people?: Record<string, string | string[]>;
    /** Whose work it belongs to; a name, '' for nobody's in particular. */
    owner?: string;
  };

type EventType = (typeof auditedEvents)[number] | (typeof screeningEvents)[number] | (typeof budgetEvents)[number];
type FactType = (typeof auditedFacts)[number] | (typeof screeningFacts)[number] | (typeof budgetFacts)[number];

/** What an entry is about, and who did it when the fact does not say. */
interface Meaning {
  readonly action: AuditAction;
  readonly outcome?: AuditOutcome;
  /** Members of the data that go into the details. */
  readonly details?: readonly string[];
  /** Members of the data that name people. */
  readonly people?: readonly string[];
  readonly by?: 'owner' | 'system' | 'agent';
  readonly reason?: string;
}

const APPROVAL = ['approval_id', 'action_type', 'action_hash', 'quorum', 'priority', 'votes', 'edited', 'expires_at'];

/** Of a verdict of the governor; `facts` of the arguments stay in the run's log. */
const DECISION = [
  'step',
  'verdict',
  'action',
  'kind',
  'action_class',
  'effect',
  'args_hash',
  'cost_usd',
  'checks',
  'policy',
  'raci',
  'outcome',
];

const BREACH = [
  'step',
  'budget_id',
  'account',
  'scope',
  'dimension',
  'window',
  'asked',
  'used',
  'reserved',
  'there_is',
];

/** What was found of personal data: kinds, places and numbers. */
const FOUND = ['scan_id', 'where', 'direction', 'policy', 'taken', 'types', 'risk', 'count', 'paths', 'error'];

const events: Readonly<Record<EventType, Meaning>> = {
  'run.queued': { action: 'ORCHESTRATION_SUBMIT', details: ['workflow', 'agent_ids', 'fork_of'] },
  'run.started': { action: 'ORCHESTRATION_START' },
  'run.stopped': { action: 'ORCHESTRATION_STOP' },
  'run.cancel_requested': { action: 'ORCHESTRATION_CANCEL_REQUEST', outcome: 'pending' },
  'run.completed': { action: 'ORCHESTRATION_COMPLETE' },
  'run.failed': { action: 'ORCHESTRATION_FAIL', outcome: 'failure' },
  'run.cancelled': { action: 'ORCHESTRATION_CANCEL', outcome: 'cancelled' },
  'run.timed_out': { action: 'ORCHESTRATION_FAIL', outcome: 'failure', reason: 'timed_out' },
  'tool.called': {
    action: 'TOOL_CALL',
    outcome: 'pending',
    details: ['tool', 'turn', 'step', 'tool_call_id', 'effect'],
  },
  'budget.breached': { action: 'BUDGET_BREACH', outcome: 'denied', details: BREACH },
  'governance.decided': { action: 'POLICY_DECISION', details: DECISION, people: ['user_id', 'approved_by'] },
  'screening.found': { action: 'PII_WARN', details: FOUND, by: 'agent' },
  'approval.requested': { action: 'APPROVAL_REQUEST', outcome: 'pending', details: APPROVAL, people: ['assignees'] },
  'approval.voted': { action: 'APPROVAL_VOTE', outcome: 'pending', details: APPROVAL, people: ['by'] },
  'approval.decided': { action: 'APPROVAL_APPROVE', details: [...APPROVAL, 'status'], people: ['decided_by'] },
  'approval.escalated': { action: 'APPROVAL_ESCALATE', outcome: 'pending', details: [...APPROVAL, 'from', 'to'] },
};

const TASK = ['priority', 'status', 'attempt', 'retry_count', 'worker_id', 'next_attempt_at'];
const JOB = [
  'job_name',
  'status',
  'next_run_at',
  'planned_at',
  'run_number',
  'task_id',
  'cause',
  'lateness_ms',
  'count',
];

const ROUTE = [
  'plane_id',
  'from_plane_id',
  'fault',
  'provider',
  'execution_path',
  'outcome',
  'fallback_from',
  'attempts',
  'outcome_unknown',
  'correlation_id',
  'wait',
];
const PLANE = ['plane', 'cause', 'drill_id', 'until'];

const facts: Readonly<Record<FactType, Meaning>> = {
  'screening.warned': { action: 'PII_WARN', details: FOUND, by: 'owner' },
  'screening.redacted': { action: 'PII_REDACT', details: FOUND, by: 'owner' },
  'screening.blocked': { action: 'PII_BLOCK', outcome: 'denied', details: FOUND, by: 'owner' },
  'task.submitted': { action: 'TASK_SUBMIT', details: TASK, by: 'owner' },
  'task.assigned': { action: 'TASK_ASSIGN', details: TASK },
  'task.started': { action: 'TASK_START', details: TASK },
  'task.completed': { action: 'TASK_COMPLETE', details: TASK, by: 'agent' },
  'task.failed': { action: 'TASK_FAIL', outcome: 'failure', details: TASK, by: 'agent' },
  'task.retrying': { action: 'TASK_RETRY', outcome: 'failure', details: TASK },
  'task.dead': { action: 'TASK_DEAD', outcome: 'failure', details: TASK },
  'task.cancelled': { action: 'TASK_CANCEL', outcome: 'cancelled', details: TASK, by: 'owner' },
  'job.created': { action: 'JOB_SCHEDULE', details: JOB, by: 'owner' },
  'job.changed': { action: 'JOB_UPDATE', details: JOB, by: 'owner' },
  'job.paused': { action: 'JOB_PAUSE', details: JOB, by: 'owner' },
  'job.resumed': { action: 'JOB_RESUME', details: JOB, by: 'owner' },
  'job.cancelled': { action: 'JOB_CANCEL', outcome: 'cancelled', details: JOB, by: 'owner' },
  'job.completed': { action: 'JOB_COMPLETE', details: JOB },
  'job.failed': { action: 'JOB_FAIL', outcome: 'failure', details: JOB },
  'job.triggered': { action: 'JOB_TRIGGER', details: JOB, by: 'owner' },
  'job.fired': { action: 'JOB_RUN', details: JOB },
  'job.skipped': { action: 'JOB_SKIP', outcome: 'denied', details: JOB, reason: 'earlier_runs_under_way' },
  'job.missed': { action: 'JOB_MISSED', outcome: 'failure', details: JOB },
  'approval.cancelled': { action: 'APPROVAL_CANCEL', outcome: 'cancelled', details: ['approval_id', 'status'] },
  'route.routed': { action: 'ROUTE_ACTION', details: ROUTE, by: 'agent' },
  'route.fallback': { action: 'ROUTE_FALLBACK', outcome: 'pending', details: ROUTE, by: 'agent' },
  'route.blocked': { action: 'ROUTE_BLOCKED', outcome: 'denied', details: ROUTE, by: 'agent' },
  'route.failed': { action: 'ROUTE_ACTION', outcome: 'failure', details: ROUTE, by: 'agent' },
  'route.waiting': { action: 'ROUTE_WAITING', outcome: 'pending', details: ROUTE, by: 'agent' },
  'route.unknown': { action: 'ROUTE_UNKNOWN', outcome: 'pending', details: ROUTE, by: 'agent' },
  'route.settled': { action: 'ROUTE_SETTLED', details: ROUTE, people: ['settled_by'] },
  'fabric.preset_changed': {
    action: 'PRESET_CHANGE',
    details: ['previous_preset', 'fabric_preset', 'forced', 'missing'],
    people: ['changed_by'],
  },
  'fabric.route_changed': { action: 'ROUTE_CHANGE', details: ['fabric_preset', 'planes'], people: ['changed_by'] },
  'plane.down': { action: 'PLANE_HEALTH', outcome: 'failure', details: PLANE, people: ['started_by'] },
  'plane.up': { action: 'PLANE_HEALTH', details: PLANE, people: ['ended_by'] },
  'budget.set': { action: 'BUDGET_SET', details: ['budget_id', 'budget'], people: ['changed_by'] },
  'budget.removed': { action: 'BUDGET_REMOVE', details: ['budget_id'], people: ['changed_by'] },
  'budget.topped_up': {
    action: 'BUDGET_TOP_UP',
    details: ['budget_id', 'account', 'amount', 'dimension'],
    people: ['changed_by'],
  },
  'budget.threshold': {
    action: 'BUDGET_WARNING',
    details: ['budget_id', 'account', 'dimension', 'percent', 'used', 'there_is'],
  },
  'pool.scaled': { action: 'POOL_SCALE', details: ['pool_id', 'from', 'to', 'reason', 'policy'] },
};

const DECISIONS: Readonly<Record<string, Pick<Draft, 'action' | 'outcome'>>> = {
  approved: { action: 'APPROVAL_APPROVE', outcome: 'success' },
  rejected: { action: 'APPROVAL_REJECT', outcome: 'denied' },
  timeout: { action: 'APPROVAL_TIMEOUT', outcome: 'denied' },
};

const ENDS: readonly string[] = ['run.completed', 'run.failed', 'run.cancelled', 'run.timed_out'];

/** The entries that tell a fact, in order: none for what another fact tells, two for the end of a run. */
export function draftsOf(fact: Fact): readonly Draft[] {
  return fact.seq === null ? draftsOfFact(fact) : draftsOfEvent(fact);
}

function draftsOfEvent(fact: Fact): readonly Draft[] {
  const { type, subject: runId, at, traceId, data, seq, hash, run } = fact;
  const meaning = isKey(events, type) ? events[type] : undefined;
  if (meaning === undefined) return [];
  const isTask = run?.kind === 'task';
  const shared = {
    timestamp: at,
    run_id: runId,
    task_id: isTask ? taskOf(runId) : null,
    agent_id: word(data['agent_id']),
    simulation: run?.simulation ?? false,
    trace_id: traceId,
    owner: run?.userId ?? '',
  };
  const told: Draft = {
    ...shared,
    ...wordsOf(meaning, data),
    ...(type === 'approval.decided' && DECISIONS[word(data['status']) ?? '']),
    actor: actorOf(fact.actor ?? 'system'),
    action_type: word(data['action_type']) ?? (type === 'tool.called' ? word(data['effect']) : null),
    ...(type === 'governance.decided' && verdictOf(data)),
    ...(type === 'screening.found' && SCREENED[word(data['taken']) ?? '']),
    details: {
      ...picked(data, meaning.details),
      ...(run !== undefined && { kind: run.kind }),
      event_seq: seq,
      event_hash: hash,
    },
  };
  const anchor: Draft = {
    ...shared,
    action: 'RUN_ANCHOR',
    outcome: 'success',
    actor: { type: 'system', id: 'system' },
    details: { last_event: seq, last_hash: hash, status: type.slice('run.'.length) },
  };
  return [
    // What happens to the run of an attempt is told of its task.
    ...(isTask && type.startsWith('run.') ? [] : [told]),
    ...(ENDS.includes(type) ? [anchor] : []),
  ];
}

function draftsOfFact({ type, subject, at, actor, userId, traceId, data, task, taskId }: Fact): readonly Draft[] {
  // A verdict that is no event of a run stands beside the runs.
  const isVerdict = type === 'governance.decided';
  const meaning = isVerdict ? events[type] : isKey(facts, type) ? facts[type] : undefined;
  if (meaning === undefined) return [];
  const [noun] = type.split('.');
  const agent = word(data['agent_id']) ?? task?.agentId ?? null;
  const timedOut = (type === 'task.failed' || type === 'task.dead') && codeOf(data['error']) === 'timed_out';
  return [
    {
      timestamp: at,
      ...wordsOf(meaning, data),
      ...(timedOut && type === 'task.failed' && { action: 'TASK_TIMEOUT' }),
      reason: meaning.reason ?? codeOf(data['error']) ?? word(data['code']),
      actor:
        actor === null
          ? doerOf(meaning, { userId, agent, by: word(data['changed_by']) ?? personIn(meaning, data) })
          : actorOf(actor),
      agent_id: agent === '' ? null : agent,
      ...(noun === 'task' && { task_id: subject, task_type: word(data['task_type']) ?? task?.type ?? null }),
      ...(noun === 'job' && { job_id: subject, task_id: word(data['task_id']) }),
      ...(noun === 'route' && { ...submitted(data), run_id: word(data['run_id']), task_id: taskId ?? null }),
      ...(noun === 'fabric' && submitted(data)),
      ...(noun === 'approval' && { run_id: word(data['run_id']) }),
      ...(isVerdict && { run_id: subject === '' ? null : subject, ...verdictOf(data) }),
      ...(task !== undefined && submitted(task.submission)),
      ...(data['simulation'] === true && { simulation: true }),
      ...surroundings(data),
      trace_id: traceId,
      owner: userId,
      details: { ...(noun === 'route' && { action_id: subject }), ...picked(data, meaning.details) },
    },
  ];
}

/** What a run's log tells as one event is three actions here. */
const SCREENED: Readonly<Record<string, Pick<Draft, 'action' | 'outcome'>>> = {
  redacted: { action: 'PII_REDACT', outcome: 'success' },
  blocked: { action: 'PII_BLOCK', outcome: 'denied' },
};

const VERDICTS: Readonly<Record<string, AuditOutcome>> = { allow: 'success', deny: 'denied', hold: 'pending' };

/** What the governor found, and whom it holds accountable. */
function verdictOf(data: JsonObject): Partial<Draft> {
  const [accountable, responsible] = [word(data['accountable']), words(data['responsible'])];
  return {
    outcome: VERDICTS[word(data['verdict']) ?? ''] ?? 'denied',
    reason: word(data['rule']),
    target_system: word(data['target']),
    action_type: word(data['type']),
    ...(accountable !== null && { raci_accountable: accountable }),
    ...(responsible.length > 0 && { raci_responsible: responsible.join(', ') }),
  };
}

/** Plane and preset, of facts that say so; of others they are what they are when the entry is made. */
function surroundings(data: JsonObject): Partial<Draft> {
  const [plane, preset] = [word(data['Primary_Plane_ID']), word(data['fabric_preset'])];
  return { ...(plane !== null && { Primary_Plane_ID: plane }), ...(preset !== null && { fabric_preset: preset }) };
}

/** What whoever submitted the task said about it. */
function submitted(submission: JsonObject): Partial<Draft> {
  const { target_system: target, action_type: action, simulation } = submission;
  const { raci_responsible: responsible, raci_accountable: accountable } = submission;
  const [consulted, informed] = [words(submission['raci_consulted']), words(submission['raci_informed'])];
  return {
    target_system: word(target),
    action_type: word(action),
    simulation: simulation === true,
    ...(typeof responsible === 'string' && { raci_responsible: responsible }),
    ...(typeof accountable === 'string' && { raci_accountable: accountable }),
    ...(consulted.length > 0 && { raci_consulted: consulted }),
    ...(informed.length > 0 && { raci_informed: informed }),
  };
}

function wordsOf({ action, outcome = 'success', people = [], reason }: Meaning, data: JsonObject) {
  const named = people.flatMap((key): [string, string | string[]][] => {
    const value = data[key];
    if (typeof value === 'string') return [[key, value]];
    return Array.isArray(value) ? [[key, words(value)]] : [];
  });
  return {
    action,
    outcome,
    ...(reason !== undefined && { reason }),
    ...(named.length > 0 && { people: Object.fromEntries(named) }),
  };
}

/** Who did it, of facts that name one person. */
function personIn({ people = [] }: Meaning, data: JsonObject): string | null {
  const [key, ...others] = people;
  return key === undefined || others.length > 0 ? null : word(data[key]);
}

function doerOf(
  { by = 'system' }: Meaning,
  { userId, agent, by: changer }: { userId: string; agent: string | null; by: string | null },
): Actor {
  // Settings say who changed them; a call without a user is the operator's.
  if (changer !== null) return actorOf(changer === 'operator' ? 'user:' : `user:${changer}`);
  if (by === 'owner') return actorOf(`user:${userId}`);
  return by === 'agent' && agent !== null && agent !== ''
    ? { type: 'agent', id: agent }
    : { type: 'system', id: 'system' };
}

const ACTOR_TYPES: readonly Actor['type'][] = ['user', 'agent', 'run', 'job', 'task', 'system'];

/** @param text `user:<id>`, `agent:<id>`, `system` … */
export function actorOf(text: string): Actor {
  const [kind = '', ...rest] = text.split(':');
  const id = rest.join(':');
  const type = ACTOR_TYPES.find((known) => known === kind);
  if (type === undefined) return { type: 'system', id: text };
  return { type, id: id || (type === 'user' ? 'anonymous' : type) };
}

/** The task that a run is an attempt at: its id is `<task>.<attempt>`. */
function taskOf(runId: string): string {
  return runId.slice(0, Math.max(0, runId.lastIndexOf('.'))) || runId;
}

function picked(data: JsonObject, names: readonly string[] = []): JsonObject {
  return Object.fromEntries(names.flatMap((name) => (data[name] == null ? [] : [[name, data[name]]])));
}

function codeOf(error: JsonValue | undefined): string | null {
  return typeof error === 'object' && error !== null && !Array.isArray(error) ? word(error['code']) : null;
}

function word(value: JsonValue | undefined): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

function words(value: JsonValue | undefined): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}

function isKey<Table extends object>(table: Table, key: string): key is Extract<keyof Table, string> {
  return Object.hasOwn(table, key);
}
