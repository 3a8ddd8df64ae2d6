/** What may be asked about runs and of them: the management side of everything that is executed. */
import { z } from 'zod';
import { settledOutcomes } from '../engine/settlement.ts';
import { runKinds, runStatuses } from '../runs/run.ts';
import {
  agentId,
  askedTime,
  cursor,
  eventNumber,
  flag,
  freeForm,
  nextCursor,
  pageSize,
  protocolId,
  reason,
  time,
} from './field.ts';
import { type RestRoute, specify } from './operation.ts';
import { RUNS_PATH, runDetail, runEvent, runStep, runSummary } from './run-view.ts';

const one = z.object({ run_id: protocolId });
const ID = 'e6121e78-c096-4390-875d-9a77c9bf2ee1';
const HASH = 'b4c0d5a9c0a2f2d5d9f0d2b2e7d6a1f08c1f2f0b4f7a9d3c6e5b4a39281706f5';
const T0 = '2026-02-01T10:00:00.000Z';

const rest = (method: RestRoute['method'], path: string, status = 200): RestRoute => ({
  method,
  path: `${RUNS_PATH}${path}`,
  status,
  family: 'detail',
});

const summaryExample = {
  run_id: ID,
  kind: 'orchestration',
  status: 'waiting',
  waiting_for: 'approval',
  wake_at: '2026-02-01T11:00:00.000Z',
  workflow: 'graph',
  session_id: 'board',
  user_id: '',
  actor: 'user:',
  lineage: { parent_id: null, root_id: ID, depth: 0, fork_of: null },
  definition: HASH,
  priority: 3,
  simulated: true,
  error: null,
  cancel_reason: null,
  last_event: 12,
  created_at: T0,
  started_at: T0,
  completed_at: null,
  deadline_at: null,
  links: { self: `${RUNS_PATH}/${ID}`, events: `${RUNS_PATH}/${ID}/events`, invocation: `/invocations/${ID}` },
};

const eventExample = {
  seq: 9,
  type: 'node.completed',
  at: '2026-02-01T10:00:01.200Z',
  actor: 'system',
  trace_id: '4bf92f3577b34da6a3ce929d0e0e4736',
  hash: HASH,
  prev_hash: '0'.repeat(64),
  data: { node: 'draft', visit: 1, node_type: 'agent', output: '…' },
};

export const listRuns = specify({
  name: 'runs.list',
  summary: 'The runs, newest first',
  input: z.object({
    status: z.enum(runStatuses).optional(),
    kind: z.enum(runKinds).optional(),
    session_id: protocolId.optional(),
    parent_id: protocolId.optional(),
    since: askedTime.optional(),
    limit: pageSize,
    cursor,
  }),
  output: z.object({ items: z.array(runSummary), next_cursor: nextCursor }),
  rest: rest('GET', ''),
  example: { output: { items: [summaryExample], next_cursor: null } },
});

export const getRun = specify({
  name: 'runs.get',
  summary: 'A run: how it stands, what it waits for, what it has used, where it comes from',
  input: one,
  output: runDetail,
  rest: rest('GET', '/{run_id}'),
  errors: ['not_found'],
  example: {
    output: {
      ...summaryExample,
      waits: [
        {
          name: 'approval/7c1e',
          signal: 'approval/7c1e',
          reason: 'approval',
          until: '2026-02-01T11:00:00.000Z',
          approval_id: '7c1e',
          detail: { approval_id: '7c1e' },
        },
      ],
      usage: { tokens_input: 410, tokens_output: 220, cost_usd: 0 },
      limits: { max_turns: 100, max_tokens: 2_000_000, max_cost_usd: 20, max_tool_calls: 200, max_depth: 4 },
      children: [],
      request: { workflow: 'graph', graph: { nodes: [] } },
      result: null,
    },
  },
});

export const runEvents = specify({
  name: 'runs.events',
  summary: 'The log of a run',
  description:
    'A list by default; with `wait` it answers when there is something new. With `Accept: text/event-stream` it ' +
    'replays the events after the given number and follows the run to its end.',
  input: one.extend({
    after: eventNumber.meta({ description: 'Only events after this number' }),
    wait: z.coerce.number().min(0).max(60).default(0).meta({
      description: 'Seconds to wait for an event when there is none yet',
    }),
    limit: pageSize.default(200),
  }),
  output: z.object({
    run_id: protocolId,
    status: z.enum(runStatuses),
    events: z.array(runEvent),
    next_after: z.int().meta({ description: 'What to send as `after` to go on' }),
  }),
  rest: {
    ...rest('GET', '/{run_id}/events'),
    stream: {
      description: 'One event per message; `id` is its `seq`, `event` its `type`. Ends with the run.',
      unasked: 'json',
      resume: 'after',
      example: `id: 9\nevent: node.completed\ndata: ${JSON.stringify(eventExample)}\n\n`,
    },
  },
  errors: ['not_found'],
  example: { output: { run_id: ID, status: 'running', events: [eventExample], next_after: 9 } },
});

export const cancelRun = specify({
  name: 'runs.cancel',
  governs: { kind: 'run', type: 'cancel' },
  summary: 'End a run, and the runs it started',
  description: 'Reaches the model call it is in. Answers when it has ended, at the latest after 2 s.',
  input: one.extend({ reason }),
  output: runSummary,
  rest: rest('POST', '/{run_id}/cancel'),
  errors: ['not_found', 'conflict'],
  example: {
    input: { reason: 'no longer needed' },
    output: {
      ...summaryExample,
      status: 'cancelled',
      waiting_for: null,
      wake_at: null,
      cancel_reason: 'no longer needed',
      completed_at: T0,
    },
  },
});

export const signalRun = specify({
  name: 'runs.signal',
  governs: { kind: 'run', type: 'signal' },
  summary: 'Send a run what it waits for',
  description:
    'Stored until the run takes it, and wakes the run. The same `signal_id` is taken once. `waits` of the run says ' +
    'which signals it waits for.',
  input: one.extend({
    name: z.string().regex(/^[^\p{Cc}]{1,200}$/u, { error: 'must be 1 to 200 characters on one line' }),
    payload: freeForm.default({}),
    signal_id: protocolId.nullish().meta({ description: 'Makes repeating the call harmless; else a new UUID' }),
  }),
  output: z.object({ run_id: protocolId, signal_id: z.string(), name: z.string(), accepted: z.literal(true) }),
  rest: rest('POST', '/{run_id}/signals', 202),
  errors: ['not_found', 'conflict'],
  example: {
    input: { name: 'budget', payload: { eur: 5000 }, signal_id: 's-1' },
    output: { run_id: ID, signal_id: 's-1', name: 'budget', accepted: true },
  },
});

export const resumeRun = specify({
  name: 'runs.resume',
  governs: { kind: 'run', type: 'resume' },
  summary: 'Let a run that stands at a limit go on, or stop it there',
  description:
    'Without `raise` the limit that is used up is granted once more. A run that waits for a definition looks again ' +
    'whether it is there.',
  input: one.extend({
    decision: z.enum(['continue', 'stop']).default('continue'),
    raise: z
      .object({
        max_turns: z.int().min(1).optional(),
        max_tokens: z.int().min(1).optional(),
        max_cost_usd: z.number().positive().optional(),
        max_tool_calls: z.int().min(1).optional(),
      })
      .default({})
      .meta({ description: 'New limits, in place of those the run has' }),
  }),
  output: z.object({ run_id: protocolId, wait: z.string(), decision: z.enum(['continue', 'stop']) }),
  rest: rest('POST', '/{run_id}/resume', 202),
  errors: ['not_found', 'conflict'],
  example: {
    input: { decision: 'continue', raise: { max_turns: 40 } },
    output: { run_id: ID, wait: 'limit/1', decision: 'continue' },
  },
});

export const settleRun = specify({
  name: 'runs.settle',
  governs: { kind: 'run', type: 'settle' },
  access: 'approve',
  summary: 'Say what became of an effect of a run whose outcome is unknown',
  description:
    'A tool or a plane was called and its answer was lost, or the process ended meanwhile; it is not repeated until ' +
    'somebody knows. `completed`: it was done, with this `result` · `not_done`: it was not, and is done again · ' +
    '`failed`: it was not, and is not done again. A run that waits for no such thing is 409.',
  input: one.extend({
    wait: z
      .string()
      .min(1)
      .max(600)
      .nullish()
      .meta({ description: 'Which of its waits, when there are several; see `waits` of the run' }),
    outcome: z.enum(settledOutcomes),
    note: reason,
    external_id: z.string().max(500).nullish().meta({ description: 'What the target calls it' }),
    result: z.unknown().optional().meta({ description: 'What the tool would have given, for whoever asked for it' }),
  }),
  output: z.object({ run_id: protocolId, wait: z.string(), outcome: z.enum(settledOutcomes) }),
  screens: ['note'],
  rest: rest('POST', '/{run_id}/settle', 202),
  errors: ['not_found', 'conflict'],
  example: {
    input: { outcome: 'completed', note: 'seen in the shop' },
    output: { run_id: ID, wait: 'chat/1/tool-1/http_fetch/settle', outcome: 'completed' },
  },
});

const forkId = protocolId.nullish().meta({
  description: 'The id of the new run, which makes repeating the call harmless; else a new UUID',
});
const confirm = flag.meta({
  description: 'Needed where steps with an effect would be done again; the refusal lists them',
});
const forked = runSummary.extend({
  kept_steps: z.array(z.string()),
  repeated_effects: z.array(
    z.object({
      step: z.string(),
      effect: z.enum(['write', 'external']),
      outcome: z.enum(['completed', 'failed', 'unknown']),
      tool: z.string().nullable(),
    }),
  ),
});
const forkExample = {
  ...summaryExample,
  run_id: 'e6121e78-fork',
  status: 'queued',
  waiting_for: null,
  wake_at: null,
  lineage: { parent_id: null, root_id: 'e6121e78-fork', depth: 0, fork_of: { run_id: ID, step: 'review/1' } },
  last_event: 1,
  started_at: null,
  kept_steps: ['draft/1'],
  repeated_effects: [],
};
const location = (output: { [member: string]: unknown }) => `${RUNS_PATH}/${String(output['run_id'])}`;

export const forkRun = specify({
  name: 'runs.fork',
  summary: 'Start a new run with what another had done up to a step, and what shall be different from there',
  description:
    'Everything that had ended when the step began is taken over; all else is done again, with `input` laid over the ' +
    'request. Refused (409, with `effects`) where something that had an effect would be done again, until that is ' +
    'confirmed.',
  input: one.extend({
    from_step: z
      .string()
      .min(1)
      .max(500)
      .nullish()
      .meta({ description: 'A name out of its steps; everything is done again when left out' }),
    input: z
      .strictObject({
        task: freeForm.optional(),
        context: freeForm.optional(),
        purpose: z.union([z.string().min(1), freeForm]).optional(),
        config: z
          .looseObject({
            timeout_seconds: z
              .number()
              .positive()
              .max(7 * 24 * 3600)
              .optional(),
          })
          .optional(),
        workflow: z.string().min(1).max(100).optional(),
        agent_ids: z
          .array(agentId)
          .min(1)
          .max(32)
          .refine((ids) => new Set(ids).size === ids.length, { error: 'must name each agent once' })
          .optional(),
        graph: freeForm.optional(),
        message: z.string().min(1).optional(),
        agent_id: agentId.optional(),
      })
      .default({})
      .meta({ description: 'Members of the request in place of what they were' }),
    fork_id: forkId,
    confirm_effects: confirm,
  }),
  output: forked,
  rest: { ...rest('POST', '/{run_id}/fork', 201), location },
  errors: ['not_found', 'conflict', 'unsupported', 'overloaded'],
  example: { input: { from_step: 'review/1', input: { task: { topic: 'bees' } } }, output: forkExample },
});

export const retryRun = specify({
  name: 'runs.retry',
  summary: 'Take up a run that did not complete where it failed, as a new run',
  description: 'A fork from the step that failed, with the same request.',
  input: one.extend({ fork_id: forkId, confirm_effects: confirm }),
  output: forked,
  rest: { ...rest('POST', '/{run_id}/retry', 201), location },
  errors: ['not_found', 'conflict', 'unsupported', 'overloaded'],
  example: { input: {}, output: forkExample },
});

export const runPayload = specify({
  name: 'runs.payload',
  summary: 'A value that was too large for its event',
  description: 'In the event stands `{"$payload": {"sha256", "bytes"}}` in its place.',
  input: one.extend({ sha256: z.string().regex(/^[0-9a-f]{64}$/, { error: 'must be 64 hex digits' }) }),
  output: z.object({ run_id: protocolId, sha256: z.string(), value: z.unknown() }),
  rest: rest('GET', '/{run_id}/payloads/{sha256}'),
  errors: ['not_found'],
  example: { output: { run_id: ID, sha256: HASH, value: '…' } },
});

export const runSteps = specify({
  name: 'runs.steps',
  summary: 'The stored steps of a run, in the order in which they were stored',
  input: one.extend({ include_output: flag }),
  output: z.object({ run_id: protocolId, items: z.array(runStep) }),
  rest: rest('GET', '/{run_id}/steps'),
  errors: ['not_found'],
  example: {
    output: {
      run_id: ID,
      items: [
        {
          name: 'draft/1',
          ordinal: 1,
          effect: 'read',
          status: 'completed',
          error: null,
          started_at: T0,
          completed_at: '2026-02-01T10:00:01.200Z',
        },
      ],
    },
  },
});

export const verifyRun = specify({
  name: 'runs.verify',
  summary: 'Whether the log of a run is what was written',
  description:
    'Checks the whole chain of hashes, from the first event to the newest, and every event whose hash the audit log kept: ' +
    'a chain that was made anew is not the one that was audited.',
  input: one,
  output: z.object({
    run_id: protocolId,
    valid: z.boolean(),
    events: z.int(),
    head: z.string().meta({ description: 'Hash of the newest event' }),
    audited: z.int().meta({ description: 'How many of its events the audit log has the hashes of' }),
    fault: z
      .object({ seq: z.int(), problem: z.enum(['missing', 'unlinked', 'changed', 'rewritten']) })
      .nullable()
      .meta({ description: '`rewritten`: it holds together, and is not what the audit log says it was' }),
  }),
  rest: rest('GET', '/{run_id}/verify'),
  errors: ['not_found'],
  example: { output: { run_id: ID, valid: true, events: 12, head: HASH, audited: 3, fault: null } },
});

const SESSIONS_PATH = '/api/v1/aoa/sessions';

export const listSessions = specify({
  name: 'sessions.list',
  summary: "The caller's sessions, the one that was spoken in last first",
  input: z.object({ limit: pageSize }),
  output: z.object({
    items: z.array(
      z.object({ session_id: z.string(), user_id: z.string(), messages: z.int(), first_at: time, last_at: time }),
    ),
    next_cursor: nextCursor,
  }),
  rest: { method: 'GET', path: SESSIONS_PATH, status: 200, family: 'detail' },
  example: {
    output: {
      items: [{ session_id: 'board', user_id: '', messages: 4, first_at: T0, last_at: T0 }],
      next_cursor: null,
    },
  },
});

export const getSession = specify({
  name: 'sessions.get',
  summary: 'The messages of a session',
  input: z.object({
    session_id: protocolId,
    after: eventNumber.meta({ description: 'Only messages after this number' }),
    limit: pageSize.default(200),
  }),
  output: z.object({
    session_id: z.string(),
    messages: z.array(
      z.object({
        seq: z.int(),
        role: z.enum(['user', 'assistant']),
        content: z.string(),
        run_id: z.string(),
        at: time,
      }),
    ),
    next_after: z.int(),
  }),
  rest: { method: 'GET', path: `${SESSIONS_PATH}/{session_id}`, status: 200, family: 'detail' },
  errors: ['not_found'],
  example: {
    output: {
      session_id: 'board',
      messages: [{ seq: 1, role: 'user', content: 'Good morning', run_id: ID, at: T0 }],
      next_after: 1,
    },
  },
});

export const runSpecs = [
  listRuns,
  getRun,
  runEvents,
  cancelRun,
  signalRun,
  resumeRun,
  settleRun,
  forkRun,
  retryRun,
  runPayload,
  runSteps,
  verifyRun,
  listSessions,
  getSession,
];
