/**
 * Spans as OTLP protobuf, the quick way. Encoding is most of what tracing costs a request, and spans of one process
 * are alike: the same names, the same attributes, most of them with the same values. So names are encoded once, and an
 * attribute that has the value it had last time is a copy of bytes. Spans with anything unusual (events, links, lists,
 * dropped parts) are left to the SDK's serializer; requests may simply be joined, since protobuf merges what follows.
 */
import type { AttributeValue, HrTime } from '@opentelemetry/api';
import { type ISerializer, ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base';

type TraceSerializer = typeof ProtobufTraceSerializer;
type TraceResponse = TraceSerializer extends ISerializer<ReadableSpan[], infer Response> ? Response : never;
type PlainValue = string | number | boolean;

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

/** Whether a span has only what the quick way knows, and the same resource as the span before it. */
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
const SPAN_FLAGS_TAG = [0x85, 0x01] as const;
const FLAG_HAS_IS_REMOTE = 0x1;
const FLAG_IS_REMOTE = 0x2;
const STATUS_MESSAGE = 0x12;
const STATUS_CODE = 0x18;
const KEY = 0x0a;
const VALUE = 0x12;
const STRING_VALUE = 0x0a;
const BOOL_VALUE = 0x10;
const INT_VALUE = 0x18;
const DOUBLE_VALUE = 0x21;

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
  const writer = new ByteWriter();

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

function encodedKey(name: string): Uint8Array {
  const writer = new ByteWriter(Buffer.byteLength(name) + 12);
  writer.text(KEY, name);
  return writer.copyFrom(0);
}

/** Bytes left for the length of a message whose length is not known yet: enough for a span up to 16 KiB. */
const RESERVED_LENGTH = 2;

/** Writes whole protobuf fields into a buffer that grows as needed. */
class ByteWriter {
  #bytes: Buffer;
  #at = 0;

  constructor(size = 64 * 1_024) {
    this.#bytes = Buffer.allocUnsafeSlow(size);
  }

  get length(): number {
    return this.#at;
  }

  reset(): void {
    this.#at = 0;
  }

  copyFrom(start: number): Uint8Array {
    return Uint8Array.prototype.slice.call(this.#bytes, start, this.#at);
  }

  /** Begins a message of unknown length; what is written until `close` with the returned position is its content. */
  open(tag: number): number {
    this.#reserve(1 + RESERVED_LENGTH);
    this.#bytes[this.#at++] = tag;
    this.#at += RESERVED_LENGTH;
    return this.#at;
  }

  close(start: number): void {
    const length = this.#at - start;
    const size = varintSize(length);
    if (size !== RESERVED_LENGTH) {
      this.#reserve(size);
      this.#bytes.copyWithin(start - RESERVED_LENGTH + size, start, this.#at);
    }
    this.#at = start - RESERVED_LENGTH;
    this.#varint(length);
    this.#at += length;
  }

  bytes(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  text(tag: number, text: string): void {
    const length = Buffer.byteLength(text);
    this.#reserve(length + 6);
    this.#bytes[this.#at++] = tag;
    this.#varint(length);
    this.#at += this.#bytes.write(text, this.#at);
  }

  hex(tag: number, hex: string): void {
    this.#reserve(hex.length / 2 + 2);
    this.#bytes[this.#at++] = tag;
    this.#varint(hex.length / 2);
    this.#at += this.#bytes.write(hex, this.#at, 'hex');
  }

  /** A number below 128. */
  small(tag: number, value: number): void {
    this.#reserve(2);
    this.#bytes[this.#at++] = tag;
    this.#bytes[this.#at++] = value;
  }

  /** Nanoseconds since the epoch as 64 bits, computed in halves because they exceed a double's 53. */
  time(tag: number, [seconds, nanoseconds]: HrTime): void {
    const upper = Math.floor(seconds / 0x1_0000) * 1e9;
    const lower = (seconds % 0x1_0000) * 1e9 + nanoseconds;
    const low = (upper % 0x1_0000) * 0x1_0000 + (lower % 0x1_0000_0000);
    const carry = low >= 0x1_0000_0000 ? 1 : 0;
    const high = Math.floor(upper / 0x1_0000) + Math.floor(lower / 0x1_0000_0000) + carry;
    this.#reserve(9);
    this.#bytes[this.#at++] = tag;
    this.#at = this.#bytes.writeUInt32LE(low % 0x1_0000_0000, this.#at);
    this.#at = this.#bytes.writeUInt32LE(high, this.#at);
  }

  flags(traceFlags: number, remoteFlags: number): void {
    this.#reserve(6);
    this.#bytes[this.#at++] = SPAN_FLAGS_TAG[0];
    this.#bytes[this.#at++] = SPAN_FLAGS_TAG[1];
    this.#bytes[this.#at++] = traceFlags;
    this.#bytes[this.#at++] = remoteFlags;
    this.#bytes[this.#at++] = 0;
    this.#bytes[this.#at++] = 0;
  }

  /** A KeyValue whose key is already encoded. */
  attribute(tag: number, key: Uint8Array, value: PlainValue): void {
    const textLength = typeof value === 'string' ? Buffer.byteLength(value) : 0;
    const valueLength = plainValueLength(value, textLength);
    const length = key.length + 1 + varintSize(valueLength) + valueLength;
    this.#reserve(length + 6);
    this.#bytes[this.#at++] = tag;
    this.#varint(length);
    this.#bytes.set(key, this.#at);
    this.#at += key.length;
    this.#bytes[this.#at++] = VALUE;
    this.#varint(valueLength);
    if (typeof value === 'string') {
      this.#bytes[this.#at++] = STRING_VALUE;
      this.#varint(textLength);
      this.#at += this.#bytes.write(value, this.#at);
    } else if (typeof value === 'boolean') {
      this.#bytes[this.#at++] = BOOL_VALUE;
      this.#bytes[this.#at++] = value ? 1 : 0;
    } else if (Number.isInteger(value)) {
      this.#bytes[this.#at++] = INT_VALUE;
      this.#varint(value);
    } else {
      this.#bytes[this.#at++] = DOUBLE_VALUE;
      this.#at = this.#bytes.writeDoubleLE(value, this.#at);
    }
  }

  #varint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[this.#at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.#at++] = rest;
  }

  #reserve(size: number): void {
    if (this.#at + size <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.#at + size));
    larger.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = larger;
  }
}

function plainValueLength(value: PlainValue, textLength: number): number {
  if (typeof value === 'string') return 1 + varintSize(textLength) + textLength;
  if (typeof value === 'boolean') return 2;
  return Number.isInteger(value) ? 1 + varintSize(value) : 9;
}

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) size += 1;
  return size;
}
