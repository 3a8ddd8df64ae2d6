/**
 * The trace of a call: `X-Trace-Id`, else the trace of its `traceparent`, else a new one. Whatever it starts works in
 * that trace, and every answer and every error names it.
 */
import { type Context, context, TraceFlags, trace } from '@opentelemetry/api';
import { newHexId, newHexUuid } from '../core/ids.ts';

const TRACE_NAME = /^[A-Za-z0-9._:-]{1,128}$/;

export interface CallTrace {
  /** As the caller wrote it, or as a trace id is written: 32 hex digits. */
  readonly id: string;
  /** What the call's work runs in. */
  readonly context: Context;
}

export function traceOf(headers: Headers): CallTrace {
  const active = context.active();
  const inherited = trace.getSpanContext(active)?.traceId;
  const named = headers.get('x-trace-id');
  const id = named !== null && TRACE_NAME.test(named) ? named : (inherited ?? newHexUuid());
  const traceId = id.replaceAll('-', '').toLowerCase();
  // A name that is no trace id, or the trace we are in already, changes nothing about where the work belongs.
  if (traceId === inherited || !/^(?!0{32})[0-9a-f]{32}$/.test(traceId)) return { id, context: active };
  const parent = { traceId, spanId: newHexId(8), traceFlags: TraceFlags.SAMPLED, isRemote: true };
  return { id, context: trace.setSpanContext(active, parent) };
}
