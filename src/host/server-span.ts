/**
 * The host's own spans (protocol §14.2, §13.6; decision D1): one per HTTP call of a protocol endpoint, one per
 * WebSocket. Off when nothing would receive them.
 */
import { type Attributes, type Context, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { foundryAttribute, genAi, generalAttribute, hostAttribute, hostValue, scopeName } from '../telemetry/names.ts';
import type { HostSettings } from './settings.ts';

export interface SpanSubject {
  /** First word of the span's name: `invoke_agent`, `websocket_session`. */
  readonly operation: string;
  readonly responseId: string;
  readonly sessionId: string;
  readonly invocationId?: string;
  readonly requestId?: string | undefined;
}

/** Starts the spans of one server; the attributes that never change are put together once. */
export function createSpanStarter(settings: HostSettings): (subject: SpanSubject, parent: Context) => Span {
  const { agentName, agentVersion, projectArmId } = settings;
  const agentId = agentVersion === '' ? agentName : `${agentName}:${agentVersion}`;
  const fixed: Attributes = {
    [hostAttribute.serviceName]: agentName || hostValue.unnamedService,
    [genAi.system]: hostValue.system,
    [genAi.providerName]: hostValue.providerName,
    [genAi.agentId]: agentName === '' ? '' : agentId,
    ...(agentName === '' ? {} : { [genAi.agentName]: agentName }),
    ...(agentVersion === '' ? {} : { [genAi.agentVersion]: agentVersion }),
    ...(projectArmId === '' ? {} : { [foundryAttribute.projectId]: projectArmId }),
  };
  const suffix = agentName === '' ? '' : ` ${agentId}`;
  const tracer = trace.getTracer(scopeName.invocations);
  return (subject, parent) => {
    const attributes: Attributes = {
      ...fixed,
      [genAi.operationName]: subject.operation,
      [genAi.responseId]: subject.responseId,
      [foundryAttribute.sessionId]: subject.sessionId,
    };
    if (subject.invocationId !== undefined) {
      attributes[hostAttribute.invocationId] = subject.invocationId;
      attributes[hostAttribute.sessionId] = subject.sessionId;
    }
    if (subject.requestId) attributes[hostAttribute.requestId] = subject.requestId;
    return tracer.startSpan(subject.operation + suffix, { kind: SpanKind.SERVER, attributes }, parent);
  };
}

/** Marks a span as failed: the error tags of the reference, the status, and the exception event. */
export function failSpan(span: Span, failure: Error, code: string): void {
  span.setAttribute(hostAttribute.errorCode, code);
  span.setAttribute(hostAttribute.errorMessage, failure.message);
  span.setAttribute(generalAttribute.errorType, failure.name);
  span.recordException(failure);
  span.setStatus({ code: SpanStatusCode.ERROR, message: failure.message });
}
