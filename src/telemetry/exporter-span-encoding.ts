/**
 * Spans as OTLP protobuf, the quick way. Encoding is most of what tracing costs a request, and spans of one process
 * are alike: the same names, the same attributes, most of them with the same values. So names are encoded once, and an
 * attribute that has the value it had last time is a copy of bytes. Spans with anything unusual (events, links, lists,
 * dropped parts) are left to the SDK's serializer; requests may simply be joined, since protobuf merges what follows.
 */
import type { AttributeValue } from '@opentelemetry/api';
import { type ISerializer, ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-node';
import { encodedKey, OtlpWriter, type PlainValue } from './otlp-writer.ts';

type TraceSerializer = typeof ProtobufTraceSerializer;
type TraceResponse = TraceSerializer extends ISerializer<ReadableSpan[], infer Response> ? Response : never;

export function createSpanSerializer(): ISerializer<ReadableSpan[], TraceResponse> {
  const encode = createSpanEncoder();
  return {
    serializeRequest(spans) {
      const { plain = [], rest = [] } = Object.groupBy(spans, (span) => (isPlain(span, spans[0]) ? 'plain' : 'rest'));
      const parts: Uint8Array[] = [];
      if (plain.length > 0) parts.push(encode(plain));
      if (rest.length > 0) parts.push(ProtobufTraceSerializer.serializeRequest(rest) ?? new Uint8Array());
      return parts.length === 1 ? parts[0] : Buffer.concat(parts);
    },
    deserializeResponse: ProtobufTraceSerializer.deserializeResponse,
  };
}

/** Whether a span has only what the quick way knows, and the same resource as the first of its batch. */
function isPlain(span: ReadableSpan, first: ReadableSpan | undefined): boolean {
  if (span.resource !== first?.resource || span.events.length > 0 || span.links.length > 0) return false;
  if (span.droppedAttributesCount + span.droppedEventsCount + span.droppedLinksCount > 0) return false;
  if (span.spanContext().traceState !== undefined) return false;
  for (const name in span.attributes) if (!isPlainValue(span.attributes[name])) return false;
  return true;
}

function isPlainValue(value: AttributeValue | undefined): value is PlainValue {
  if (typeof value === 'number') return !Number.isInteger(value) || (value >= 0 && value <= Number.MAX_SAFE_INTEGER);
  return typeof value === 'string' || typeof value === 'boolean';
}

/** Field numbers and wire types of opentelemetry/proto/trace/v1, as tag bytes. */
const REQUEST_RESOURCE_SPANS = 0x0a;
const RESOURCE_SPANS_RESOURCE = 0x0a;
const RESOURCE_SPANS_SCOPE_SPANS = 0x12;
const RESOURCE_ATTRIBUTE = 0x0a;
const SCOPE_SPANS_SCOPE = 0x0a;
const SCOPE_SPANS_SPAN = 0x12;
const SCOPE_NAME = 0x0a;
const SCOPE_VERSION = 0x12;
const SPAN = {
  traceId: 0x0a,
  spanId: 0x12,
  parentSpanId: 0x22,
  name: 0x2a,
  kind: 0x30,
  start: 0x39,
  end: 0x41,
  attribute: 0x4a,
  status: 0x7a,
} as const;
const FLAG_HAS_IS_REMOTE = 0x1;
const FLAG_IS_REMOTE = 0x2;
const STATUS_MESSAGE = 0x12;
const STATUS_CODE = 0x18;

/** More distinct names than any program of ours has; a program that makes them up starts afresh. */
const MAX_KNOWN_NAMES = 1_000;

interface KnownAttribute {
  /** Key, with its tag and length. */
  readonly key: Uint8Array;
  lastValue: PlainValue | undefined;
  /** The whole attribute with `lastValue`, tag and length included; made when the value comes a second time in a row. */
  whole: Uint8Array | undefined;
}

function createSpanEncoder(): (spans: readonly ReadableSpan[]) => Uint8Array {
  const knownSpanAttributes = new Map<string, KnownAttribute>();
  const writer = new OtlpWriter();

  const writeSpanAttribute = (name: string, value: PlainValue) => {
    let known = knownSpanAttributes.get(name);
    if (known === undefined) {
      if (knownSpanAttributes.size >= MAX_KNOWN_NAMES) knownSpanAttributes.clear();
      known = { key: encodedKey(name), lastValue: undefined, whole: undefined };
      knownSpanAttributes.set(name, known);
    }
    if (known.lastValue !== value) {
      known.lastValue = value;
      known.whole = undefined;
      writer.attribute(SPAN.attribute, known.key, value);
    } else if (known.whole === undefined) {
      const start = writer.length;
      writer.attribute(SPAN.attribute, known.key, value);
      known.whole = writer.copyFrom(start);
    } else writer.bytes(known.whole);
  };

  const writeSpan = (span: ReadableSpan) => {
    const { traceId, spanId, traceFlags } = span.spanContext();
    const parent = span.parentSpanContext;
    const start = writer.open(SCOPE_SPANS_SPAN);
    writer.hex(SPAN.traceId, traceId);
    writer.hex(SPAN.spanId, spanId);
    if (parent !== undefined) writer.hex(SPAN.parentSpanId, parent.spanId);
    writer.text(SPAN.name, span.name);
    writer.small(SPAN.kind, span.kind + 1);
    writer.time(SPAN.start, span.startTime);
    writer.time(SPAN.end, span.endTime);
    for (const name in span.attributes) writeSpanAttribute(name, span.attributes[name] as PlainValue);
    const status = writer.open(SPAN.status);
    if (span.status.message) writer.text(STATUS_MESSAGE, span.status.message);
    writer.small(STATUS_CODE, span.status.code);
    writer.close(status);
    writer.flags(
      traceFlags & 0xff,
      parent?.isRemote === true ? FLAG_HAS_IS_REMOTE | FLAG_IS_REMOTE : FLAG_HAS_IS_REMOTE,
    );
    writer.close(start);
  };

  return (spans) => {
    writer.reset();
    const resourceSpans = writer.open(REQUEST_RESOURCE_SPANS);
    const resource = writer.open(RESOURCE_SPANS_RESOURCE);
    for (const [name, value] of Object.entries(spans[0]?.resource.attributes ?? {})) {
      writer.attribute(RESOURCE_ATTRIBUTE, encodedKey(name), value as PlainValue);
    }
    writer.close(resource);
    for (const [scope, ofScope] of Map.groupBy(spans, (span) => span.instrumentationScope)) {
      const scopeSpans = writer.open(RESOURCE_SPANS_SCOPE_SPANS);
      const scopeItself = writer.open(SCOPE_SPANS_SCOPE);
      writer.text(SCOPE_NAME, scope.name);
      if (scope.version) writer.text(SCOPE_VERSION, scope.version);
      writer.close(scopeItself);
      for (const span of ofScope) writeSpan(span);
      writer.close(scopeSpans);
    }
    writer.close(resourceSpans);
    return writer.copyFrom(0);
  };
}
