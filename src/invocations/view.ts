/**
 * How a run and its events look at this door. Pure: the same run always gives the same text.
 */
import { z } from 'zod';
import { catalogue, type ErrorCode } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import type { ServerSentEvent } from '../host/event-stream.ts';
import type { RunEvent } from '../runs/event.ts';
import { isTerminal, type Run, type RunFailure, runKinds, runStatuses } from '../runs/run.ts';

const codes = Object.keys(catalogue) as [ErrorCode, ...ErrorCode[]];
export const failureSchema = z
  .object({ code: z.enum(codes), message: z.string() })
  .meta({ id: 'Failure', description: 'Why there is no result' });

const time = z.string().meta({ format: 'date-time' });

export const invocationSchema = z
  .object({
    invocation_id: z.string(),
    session_id: z.string(),
    kind: z.enum(runKinds),
    status: z.enum(runStatuses),
    waiting_for: z.string().nullable().meta({ description: 'What a waiting run waits for' }),
    result: z
      .record(z.string(), z.unknown())
      .nullable()
      .meta({ description: 'What the run has produced; null until it is completed' }),
    error: failureSchema.nullable(),
    last_event: z.int().meta({ description: 'The number of the newest event: where to go on with ?after=' }),
    simulated: z.boolean().meta({ description: 'Whether the simulated model answered instead of a real one' }),
    simulation: z.boolean().meta({ description: 'Whether it reaches nothing outside' }),
    created_at: time,
    started_at: time.nullable(),
    completed_at: time.nullable(),
    links: z.object({
      self: z.string(),
      cancel: z.string().optional().meta({ description: 'Where to cancel it; absent once it has ended' }),
    }),
  })
  .meta({ id: 'Invocation', description: 'A run as its caller sees it' });

export type InvocationView = z.infer<typeof invocationSchema>;

export function viewInvocation(run: Run): InvocationView {
  const self = `/invocations/${encodeURIComponent(run.id)}`;
  return {
    invocation_id: run.id,
    session_id: run.sessionId,
    kind: run.kind,
    status: run.status,
    waiting_for: run.waitingFor,
    result: run.result,
    error: failureOf(run),
    last_event: run.lastEvent,
    simulated: run.simulated,
    simulation: run.simulation,
    created_at: run.createdAt,
    started_at: run.startedAt,
    completed_at: run.completedAt,
    links: isTerminal(run.status) ? { self } : { self, cancel: `${self}/cancel` },
  };
}

function failureOf(run: Run): RunFailure | null {
  if (run.error !== null || run.status !== 'cancelled') return run.error;
  return { code: 'cancelled', message: run.cancelReason ?? 'the run was cancelled' };
}

/** An event as a server-sent event: its number is the id a client reconnects with. */
export function viewServerSentEvent(event: RunEvent): ServerSentEvent {
  return { id: event.seq, event: event.type, data: viewEvent(event) };
}

/** An event as JSON: what the data line of a server-sent event holds. */
export function viewEvent(event: RunEvent): JsonObject {
  return { invocation_id: event.runId, seq: event.seq, type: event.type, at: event.at, ...(event.data as JsonObject) };
}
