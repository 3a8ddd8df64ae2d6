/**
 * Trace context for the whole process, without the OpenTelemetry SDK. The caller's trace context and baggage are
 * always current below a handler, exporter or not (protocol §14.1); building them is put off until somebody looks,
 * so that a call nobody traces pays nothing for it.
 */
import { createRequire } from 'node:module';
import {
  type Context,
  type ContextManager,
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  type SpanOptions,
  type TextMapGetter,
  type TextMapPropagator,
  type TextMapSetter,
  TraceFlags,
  type Tracer,
  type TracerProvider,
  trace,
} from '@opentelemetry/api';
import { currentScope, runInScope } from '../core/call.ts';
import { newHexId } from '../core/ids.ts';

/**
 * Makes this process carry trace context through async-local storage. Whatever was registered before us stays: a
 * program that brings its own OpenTelemetry set-up keeps it.
 * @returns whether our context manager is the one in use
 */
export function installTraceContext(): boolean {
  propagation.setGlobalPropagator(w3cPropagator);
  if (ownsContext === undefined) ownsContext = context.setGlobalContextManager(scopeContextManager);
  return ownsContext;
}
let ownsContext: boolean | undefined;

/** Makes `provider` the process's; false when the program registered one of its own before. */
export function installTracerProvider(provider: TracerProvider): boolean {
  ownsTracing ||= trace.setGlobalTracerProvider(provider);
  return ownsTracing;
}
let ownsTracing = false;

/** Adds `entries` to whatever baggage `base` holds. */
export function withBaggage(base: Context, entries: Readonly<Record<string, string>>): Context {
  let baggage = propagation.getBaggage(base) ?? propagation.createBaggage();
  for (const key of Object.keys(entries)) baggage = baggage.setEntry(key, { value: entries[key] ?? '' });
  return propagation.setBaggage(base, baggage);
}

/** The caller's trace context and baggage, from W3C headers; malformed ones count as absent. */
export function extractContext(headers: Readonly<Record<string, string | string[] | undefined>>): Context {
  if (headers['traceparent'] === undefined && headers['baggage'] === undefined) return ROOT_CONTEXT;
  return propagation.extract(ROOT_CONTEXT, headers, headerGetter);
}

/**
 * The trace id a `traceparent` names, judged as loosely as the reference implementation does: four or more fields, the
 * second of 32 characters and not all zeros (protocol §7, `x-request-id`).
 */
export function traceIdOf(traceparent: string | undefined): string | undefined {
  if (traceparent === undefined) return undefined;
  const fields = traceparent.split('-');
  const traceId = fields[1] ?? '';
  return fields.length >= 4 && traceId.length === 32 && /[^0]/.test(traceId) ? traceId : undefined;
}

/** The trace the calling code works in, as a W3C `traceparent`: what is resumed later goes on in it. */
export function currentTraceparent(): string | undefined {
  const span = trace.getSpanContext(context.active());
  return span === undefined
    ? undefined
    : `00-${span.traceId}-${span.spanId}-${span.traceFlags.toString(16).padStart(2, '0')}`;
}

const headerGetter: TextMapGetter<Readonly<Record<string, string | string[] | undefined>>> = {
  keys: (headers) => Object.keys(headers),
  get: (headers, key) => headers[key],
};

/** OpenTelemetry's current context, kept in the one storage that also carries the call. */
const scopeContextManager: ContextManager = {
  active: activeContext,
  with(traceContext, work, thisArg, ...parameters) {
    const scope = { call: currentScope()?.call, traceContext };
    return runInScope(scope, () => work.apply(thisArg, parameters));
  },
  bind<T>(traceContext: Context, target: T): T {
    if (typeof target !== 'function') return target;
    const bound = (...parameters: unknown[]) =>
      scopeContextManager.with(traceContext, () => Reflect.apply(target, undefined, parameters));
    return bound as T;
  },
  enable: () => scopeContextManager,
  disable: () => scopeContextManager,
};

function activeContext(): Context {
  return (currentScope()?.traceContext as Context | undefined) ?? ROOT_CONTEXT;
}

/**
 * Traces for a process without exporters: spans have ids and pass them on, and go nowhere. Keeps `x-request-id`,
 * logs and outgoing `traceparent` headers meaningful at no cost.
 */
export const silentTracerProvider: TracerProvider = {
  getTracer: () => silentTracer,
};

const silentTracer: Tracer = {
  startSpan(_name: string, _options?: SpanOptions, parent: Context = context.active()): Span {
    const traceId = trace.getSpanContext(parent)?.traceId ?? newHexId(16);
    return trace.wrapSpanContext({ traceId, spanId: newHexId(8), traceFlags: TraceFlags.NONE });
  },
  startActiveSpan(name: string, ...rest: unknown[]) {
    const work = rest.at(-1) as (span: Span) => never;
    const parent = (rest.length > 2 ? (rest[1] as Context) : undefined) ?? context.active();
    const span = silentTracer.startSpan(name, undefined, parent);
    return context.with(trace.setSpan(parent, span), work, undefined, span);
  },
};

/** W3C trace context and baggage. The parsers are OpenTelemetry's own, loaded at the first message that needs them. */
const w3cPropagator: TextMapPropagator = {
  inject: <Carrier>(from: Context, carrier: Carrier, setter: TextMapSetter<Carrier>) => {
    for (const propagator of w3cPropagators()) propagator.inject(from, carrier, setter);
  },
  extract: <Carrier>(into: Context, carrier: Carrier, getter: TextMapGetter<Carrier>) =>
    w3cPropagators().reduce((extended, propagator) => propagator.extract(extended, carrier, getter), into),
  fields: () => ['traceparent', 'tracestate', 'baggage'],
};

let loadedPropagators: readonly TextMapPropagator[] | undefined;
function w3cPropagators(): readonly TextMapPropagator[] {
  if (loadedPropagators === undefined) {
    const core = createRequire(import.meta.url)('@opentelemetry/core') as typeof import('@opentelemetry/core');
    loadedPropagators = [new core.W3CTraceContextPropagator(), new core.W3CBaggagePropagator()];
  }
  return loadedPropagators;
}
