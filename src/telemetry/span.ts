/**
 * A span around a piece of work: current while the work runs, failed when the work throws, always ended. When nobody
 * records spans this costs a function call.
 */
import {
  type Attributes,
  type Context,
  context,
  type Span,
  type SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { asError } from '../core/errors.ts';
import { generalAttribute } from './names.ts';
import { scrubText } from './scrub.ts';

export interface SpanDescription {
  /** The instrumentation scope. */
  readonly scope: string;
  readonly name: string;
  readonly kind: SpanKind;
  readonly attributes: Attributes;
}

/**
 * @param parent the context the span begins in, given and not found, because engines lose the current one
 * @param work gets the span and the context in which it is current
 */
export async function inSpan<T>(
  description: SpanDescription,
  parent: Context,
  work: (span: Span, within: Context) => Promise<T>,
): Promise<T> {
  const { scope, name, kind, attributes } = description;
  const span = trace.getTracer(scope).startSpan(name, { kind, attributes }, parent);
  const within = trace.setSpan(parent, span);
  try {
    return await context.with(within, () => work(span, within));
  } catch (thrown) {
    const error = asError(thrown);
    const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name;
    span.setAttribute(generalAttribute.errorType, code);
    span.setStatus({ code: SpanStatusCode.ERROR, message: scrubText(error.message) });
    throw thrown;
  } finally {
    span.end();
  }
}
