import { type Attributes, ROOT_CONTEXT, SpanStatusCode, TraceFlags, trace } from '@opentelemetry/api';
import { ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BasicTracerProvider, type ReadableSpan, SamplingDecision } from '@opentelemetry/sdk-trace-node';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSpanSerializer } from '../../src/telemetry/exporter-span-encoding.ts';
import { decodeSpans } from '../support/otlp-decode.ts';

interface SpanCase {
  scope: string;
  name: string;
  attributes: Attributes;
  startMs: number;
  durationMs: number;
  parent: 'none' | 'local' | 'remote';
  status: SpanStatusCode;
  statusMessage: string;
  event: boolean;
}

const attributeValue = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 300 }),
  fc.constantFrom('parcel-tracker', 'x'.repeat(127), 'y'.repeat(128), '世'.repeat(6_000)),
  fc.boolean(),
  fc.maxSafeInteger(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.array(fc.string(), { maxLength: 3 }),
);
const spanCase: fc.Arbitrary<SpanCase> = fc.record({
  scope: fc.constantFrom('scope-1', 'scope-2'),
  name: fc.string({ maxLength: 200 }),
  attributes: fc.dictionary(fc.constantFrom('a', 'gen_ai.agent.name', 'ключ', 'k'.repeat(130)), attributeValue),
  startMs: fc.integer({ min: 1, max: 17_000_000_000_000 }),
  durationMs: fc.nat(10_000_000),
  parent: fc.constantFrom('none' as const, 'local' as const, 'remote' as const),
  status: fc.constantFrom(SpanStatusCode.UNSET, SpanStatusCode.OK, SpanStatusCode.ERROR),
  statusMessage: fc.string({ maxLength: 200 }),
  event: fc.boolean(),
});

function record(cases: readonly SpanCase[]): ReadableSpan[] {
  const spans: ReadableSpan[] = [];
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({ 'service.name': 'parcel-tracker' }),
    sampler: { shouldSample: () => ({ decision: SamplingDecision.RECORD_AND_SAMPLED }) },
    spanProcessors: [
      {
        onStart: () => {},
        onEnd: (span) => void spans.push(span),
        forceFlush: () => Promise.resolve(),
        shutdown: () => Promise.resolve(),
      },
    ],
  });
  for (const { scope, name, attributes, startMs, durationMs, parent, status, statusMessage, event } of cases) {
    const parentContext = {
      traceId: '0af7651916cd43dd8448eb211c80319c',
      spanId: 'b7ad6b7169203331',
      traceFlags: TraceFlags.SAMPLED,
      isRemote: parent === 'remote',
    };
    const context = parent === 'none' ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parentContext);
    const span = provider.getTracer(scope).startSpan(name, { attributes, startTime: new Date(startMs) }, context);
    if (event) span.addEvent('something', { detail: 1 });
    span.setStatus({ code: status, message: statusMessage });
    span.end(new Date(startMs + durationMs));
  }
  return spans;
}

const bySpanId = (bytes: Uint8Array | undefined) =>
  decodeSpans(bytes ?? new Uint8Array()).sort((one, other) => one.spanId.localeCompare(other.spanId));

describe('the quick span serializer', () => {
  it("says the same as the SDK's, for any spans and whatever came before", () => {
    const serializer = createSpanSerializer();
    fc.assert(
      fc.property(fc.array(spanCase, { minLength: 1, maxLength: 12 }), (cases) => {
        const spans = record(cases);
        const quick = bySpanId(serializer.serializeRequest(spans));
        expect(quick).toHaveLength(spans.length);
        expect(quick).toEqual(bySpanId(ProtobufTraceSerializer.serializeRequest(spans)));
      }),
    );
  });

  it('writes the same bytes as the SDK for plain spans, but for zero counts', () => {
    const plain: SpanCase = {
      scope: 'scope-1',
      name: 'invoke_agent',
      attributes: { text: 'one', count: 1, ratio: 0.5, yes: true },
      startMs: 1_700_000_000_123,
      durationMs: 5,
      parent: 'remote',
      status: SpanStatusCode.ERROR,
      statusMessage: 'broken',
      event: false,
    };
    const spans = record([plain]);
    const quick = Buffer.from(createSpanSerializer().serializeRequest(spans) ?? []);
    // The SDK writes dropped counts of zero: 10, 12 and 14 of the span, 2 of the resource; each is two bytes.
    const theirs = ProtobufTraceSerializer.serializeRequest(spans) ?? new Uint8Array();
    expect(quick.length).toBe(theirs.length - 8);
    expect(quick.subarray(-6)).toEqual(Buffer.from(theirs.subarray(-6)));
  });

  it('is not confused by more attribute names than it remembers', () => {
    const serializer = createSpanSerializer();
    for (let round = 0; round < 3; round += 1) {
      const cases = Array.from({ length: 30 }, (_, index) => ({
        scope: 'scope-1',
        name: 'op',
        attributes: Object.fromEntries(Array.from({ length: 100 }, (_, key) => [`${index}-${key}`, `value-${key}`])),
        startMs: 1,
        durationMs: 1,
        parent: 'none' as const,
        status: SpanStatusCode.UNSET,
        statusMessage: '',
        event: false,
      }));
      const spans = record(cases);
      expect(bySpanId(serializer.serializeRequest(spans))).toEqual(
        bySpanId(ProtobufTraceSerializer.serializeRequest(spans)),
      );
    }
  });
});
