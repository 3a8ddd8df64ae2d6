import { context, propagation, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { beforeAll, describe, expect, test } from 'vitest';
import { currentCall, runInScope } from '../../src/core/call.ts';
import {
  extractContext,
  installTraceContext,
  installTracerProvider,
  silentTracerProvider,
  traceIdOf,
  withBaggage,
} from '../../src/telemetry/tracing.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';

beforeAll(() => {
  installTraceContext();
  installTracerProvider(silentTracerProvider);
});

describe('the caller’s context', () => {
  test('is read from W3C headers: trace, state and baggage', () => {
    const extracted = extractContext({
      traceparent: `00-${TRACE}-${SPAN}-01`,
      tracestate: 'vendor=1',
      baggage: 'a=1,b=x%20y;prop=2',
    });
    expect(trace.getSpanContext(extracted)).toMatchObject({ traceId: TRACE, spanId: SPAN, traceFlags: 1 });
    expect(trace.getSpanContext(extracted)?.traceState?.serialize()).toBe('vendor=1');
    expect(propagation.getBaggage(extracted)?.getEntry('b')?.value).toBe('x y');
  });

  test.each([
    {},
    { traceparent: '' },
    { traceparent: 'nonsense', baggage: '' },
    { traceparent: `ff-${TRACE}-${SPAN}-01` },
    { baggage: ';;;=,,' },
  ])('counts as absent when malformed: %j', (headers) => {
    const extracted = extractContext(headers);
    expect(trace.getSpanContext(extracted)).toBeUndefined();
    expect(propagation.getBaggage(extracted)?.getAllEntries() ?? []).toEqual([]);
  });

  test('keeps its baggage when ours is added', () => {
    const extended = withBaggage(extractContext({ baggage: 'theirs=1' }), { ours: '2' });
    const entries = propagation
      .getBaggage(extended)
      ?.getAllEntries()
      .map(([key, { value }]) => [key, value]);
    expect(entries).toEqual([
      ['theirs', '1'],
      ['ours', '2'],
    ]);
  });

  test('is passed on in outgoing headers', () => {
    const carrier: Record<string, string> = {};
    const current = extractContext({ traceparent: `00-${TRACE}-${SPAN}-01`, baggage: 'a=1' });
    propagation.inject(current, carrier);
    expect(carrier).toEqual({ traceparent: `00-${TRACE}-${SPAN}-01`, baggage: 'a=1' });
  });
});

describe('OpenTelemetry’s current context', () => {
  const call = { invocationId: 'inv', sessionId: '', userId: '', callId: '' };

  test('is that of the scope, and is only built when somebody looks', () => {
    let built = 0;
    const scope = {
      call,
      get traceContext() {
        built += 1;
        return withBaggage(ROOT_CONTEXT, { key: 'value' });
      },
    };
    runInScope(scope, () => {
      expect(built).toBe(0);
      expect(propagation.getActiveBaggage()?.getEntry('key')?.value).toBe('value');
      expect(built).toBe(1);
    });
    expect(context.active()).toBe(ROOT_CONTEXT);
  });

  test('changes under context.with without losing the call, across awaits', async () => {
    await runInScope({ call, traceContext: ROOT_CONTEXT }, async () => {
      const inner = withBaggage(ROOT_CONTEXT, { inner: '1' });
      await context.with(inner, async () => {
        await new Promise((resolve) => setImmediate(resolve));
        expect(context.active()).toBe(inner);
        expect(currentCall()).toBe(call);
      });
      expect(context.active()).toBe(ROOT_CONTEXT);
    });
  });

  test('stays with a function bound to it, along with its arguments', () => {
    const bound = context.bind(withBaggage(ROOT_CONTEXT, { bound: 'yes' }), (suffix: string) => {
      return propagation.getActiveBaggage()?.getEntry('bound')?.value + suffix;
    });
    expect(bound('!')).toBe('yes!');
  });
});

describe('without an exporter', () => {
  const tracer = trace.getTracer('test');

  test('spans have ids of their own and the caller’s trace', () => {
    const parent = extractContext({ traceparent: `00-${TRACE}-${SPAN}-01` });
    const span = tracer.startSpan('work', {}, parent);
    expect(span.spanContext()).toMatchObject({ traceId: TRACE, spanId: expect.stringMatching(/^[0-9a-f]{16}$/) });
    expect(span.spanContext().spanId).not.toBe(SPAN);
    expect(span.isRecording()).toBe(false);
  });

  test('an active span is current inside its work, whichever arguments are given', () => {
    const outer = tracer.startActiveSpan('outer', (span) => {
      expect(trace.getActiveSpan()).toBe(span);
      return tracer.startActiveSpan('inner', {}, context.active(), (inner) => inner.spanContext().traceId);
    });
    expect(outer).toMatch(/^[0-9a-f]{32}$/);
  });
});

test.each([
  [`00-${TRACE}-${SPAN}-01`, TRACE],
  [`00-${TRACE}-${SPAN}-01-extra`, TRACE],
  [`zz-${'g'.repeat(32)}-x-y`, 'g'.repeat(32)],
  [`00-${TRACE}-${SPAN}`, undefined],
  [`00-${'0'.repeat(32)}-${SPAN}-01`, undefined],
  ['', undefined],
  [undefined, undefined],
])('the trace id of %s is %s', (traceparent, expected) => {
  expect(traceIdOf(traceparent)).toBe(expected);
});
