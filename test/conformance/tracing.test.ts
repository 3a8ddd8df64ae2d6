import { createServer as createHttpServer } from 'node:http';
import { createServer, type Socket } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ReceivedSpan } from '../support/otlp-decode.ts';
import { type OtlpSink, startGrpcOtlpSink, startOtlpSink } from '../support/otlp-sink.ts';
import {
  type FixtureEnv,
  type FixtureProcess,
  startFixture,
  until,
  useFixture,
  withFixture,
} from './fixture-process.ts';
import { INVOCATION_ID, SESSION_ID } from './protocol-checks.ts';
import { SocketWire } from './socket-wire.ts';
import { verifies } from './verifies.ts';
import { get, post, Wire } from './wire.ts';

/** Each span's clock is set once, to the millisecond, at its start: those of two spans may be that much apart, and drift. */
const CLOCK_RESOLUTION_NS = 2_000_000n;

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = 'b7ad6b7169203331';
const TRACEPARENT = `00-${TRACE}-${PARENT}-01`;
const KIND_SERVER = 2;
const STATUS_ERROR = 2;
const INVOCATIONS = 'azure.ai.agentserver.invocations';
const SOCKETS = 'azure.ai.agentserver.invocations_ws';
const NO_PARENT = '';

interface Operation {
  readonly baggage: Record<string, string>;
  readonly traceId: string;
  readonly spanId: string;
}

const IDENTITY: FixtureEnv = {
  FOUNDRY_AGENT_NAME: 'parcel',
  FOUNDRY_AGENT_VERSION: '3',
  FOUNDRY_PROJECT_ARM_ID: '/subscriptions/s/projects/p',
  FOUNDRY_AGENT_INSTANCE_CLIENT_ID: 'instance-1',
  FOUNDRY_AGENT_BLUEPRINT_CLIENT_ID: 'blueprint-1',
  FOUNDRY_AGENT_TENANT_ID: 'tenant-1',
  OTEL_SERVICE_NAME: 'ignored',
  OTEL_RESOURCE_ATTRIBUTES: 'service.name=ignored-too,team=red',
};

/** A fixture and the collector it exports to, for all tests of the enclosing block. */
function useTraced(name: string, env: FixtureEnv = {}): () => { fixture: FixtureProcess; sink: OtlpSink } {
  let traced: { fixture: FixtureProcess; sink: OtlpSink } | undefined;
  beforeAll(async () => {
    const sink = await startOtlpSink();
    traced = { sink, fixture: await startFixture(name, { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, ...env }) };
  });
  afterAll(async () => {
    await traced?.fixture.dispose();
    await traced?.sink.close();
  });
  return () => traced ?? expect.fail('not running yet');
}

describe.for([
  ['no exporter', {}],
  ['spans switched off', { FIXTURE_SPANS: 'off' }],
  ['spans switched off by the environment', { AGENTSERVER_SPANS: 'off' }],
] as const)('trace context with %s', ([what, env]) => {
  const traced = useTraced('otel', what === 'no exporter' ? { OTEL_EXPORTER_OTLP_ENDPOINT: '' } : (env as FixtureEnv));

  test(
    "the caller's trace is that of the handler's spans",
    verifies('trace:context', 'trace:context:no-exporter', 'trace:no-exporter', 'trace:span:switch'),
    async () => {
      const { fixture, sink } = traced();
      const answer = await post(fixture.port, '/invocations?ms=5', { headers: { traceparent: TRACEPARENT } });
      const operation = answer.json() as Operation;
      expect(operation.traceId).toBe(TRACE);
      if (what === 'no exporter') return;
      const span = await sink.waitForSpan(({ spanId }) => spanId === operation.spanId);
      expect(span.parentSpanId, "the caller's span is the direct parent").toBe(PARENT);
      expect(sink.spans().filter(({ kind }) => kind === KIND_SERVER)).toEqual([]);
    },
  );

  test(
    'it stays so while a stream is produced',
    verifies('trace:context:stream', 'trace:context:no-exporter'),
    async () => {
      const { fixture, sink } = traced();
      const answer = await post(fixture.port, '/invocations?sse=1&ms=5', {
        headers: { traceparent: TRACEPARENT, baggage: 'a=b' },
      });
      const operation = JSON.parse(answer.text.replace(/^data: /, '')) as Operation;
      expect(operation.traceId).toBe(TRACE);
      expect(operation.baggage['a']).toBe('b');
      if (what === 'no exporter') return;
      const span = await sink.waitForSpan(({ spanId }) => spanId === operation.spanId);
      expect(span.parentSpanId).toBe(PARENT);
    },
  );

  test(
    'baggage is kept and the ids are added',
    verifies('trace:baggage', 'trace:context:no-exporter', 'trace:baggage:request-id'),
    async () => {
      const answer = await post(traced().fixture.port, '/invocations?agent_session_id=s&ms=5', {
        headers: { [INVOCATION_ID]: 'i', baggage: 'one=1,two=zw%C3%B6lf;prop=x', 'x-request-id': 'r-1' },
      });
      expect((answer.json() as Operation).baggage).toEqual({
        one: '1',
        two: 'zwölf',
        'azure.ai.agentserver.invocation_id': 'i',
        'azure.ai.agentserver.session_id': 's',
        x_request_id: 'r-1',
      });
    },
  );

  test('the baggage of one request is not that of another', verifies('trace:baggage', 'identity:apart'), async () => {
    const { fixture } = traced();
    await Promise.all(
      Array.from({ length: 20 }, async (_, n) => {
        const answer = await post(fixture.port, `/invocations?ms=${10 + (n % 5) * 5}${n % 2 ? '&sse=1' : ''}`, {
          headers: { [INVOCATION_ID]: `i${n}`, baggage: `n=${n}` },
        });
        const operation = JSON.parse(answer.text.replace(/^data: /, '')) as Operation;
        expect(operation.baggage).toMatchObject({ n: `${n}`, 'azure.ai.agentserver.invocation_id': `i${n}` });
      }),
    );
  });

  test('malformed headers fail nothing', verifies('trace:malformed'), async () => {
    const malformed: Record<string, string>[] = [
      { traceparent: '' },
      { traceparent: 'garbage', baggage: '' },
      { traceparent: '00-xyz-b7ad6b7169203331-01', baggage: '=,=;;,=' },
      { traceparent: `00-${'0'.repeat(32)}-${PARENT}-01`, baggage: 'no-equals' },
      { traceparent: `00-${TRACE}-${'0'.repeat(16)}-01`, baggage: '%zz=%E0%A4%A' },
      { traceparent: `ff-${TRACE}-${PARENT}-01`, tracestate: ',,,===' },
      { traceparent: `00-${'z'.repeat(32)}-${PARENT}-01`, baggage: `k=${'v'.repeat(9000)}` },
      { baggage: Array.from({ length: 300 }, (_, n) => `k${n}=v`).join(',') },
      { baggage: 'é=ü' },
    ];
    for (const headers of malformed) {
      const answer = await post(traced().fixture.port, '/invocations', { headers });
      expect(answer.status, JSON.stringify(headers)).toBe(200);
      const { baggage } = answer.json() as Operation;
      expect(baggage['azure.ai.agentserver.invocation_id']).toBe(answer.header(INVOCATION_ID));
      const streamed = await post(traced().fixture.port, '/invocations?sse=1', { headers });
      expect([streamed.status, streamed.complete]).toEqual([200, true]);
    }
  });
});

describe('the server span', () => {
  const otel = useTraced('otel', IDENTITY);
  const info = useTraced('info', { FOUNDRY_AGENT_NAME: 'solo' });
  const boom = useTraced('boom', IDENTITY);
  const nyi = useTraced('nyi');
  const sse = useTraced('sse', IDENTITY);

  test(
    "surrounds the invocation, under the caller's span",
    verifies('trace:span', 'trace:span:attributes', 'trace:span:switch', 'trace:flush', 'trace:context'),
    async () => {
      const { fixture, sink } = otel();
      const answer = await post(fixture.port, '/invocations?agent_session_id=s1', {
        headers: { [INVOCATION_ID]: 'i1', traceparent: TRACEPARENT, tracestate: 'v=1', 'x-request-id': 'r1' },
      });
      const operation = answer.json() as Operation;
      expect(answer.header('x-request-id')).toBe(TRACE);
      const span = await serverSpan(sink, 'i1');
      expect(span).toMatchObject({
        name: 'invoke_agent parcel:3',
        kind: KIND_SERVER,
        traceId: TRACE,
        parentSpanId: PARENT,
        traceState: 'v=1',
        scope: 'Azure.AI.AgentServer.Invocations',
      });
      expect(span.statusCode).not.toBe(STATUS_ERROR);
      expect(span.attributes).toMatchObject({
        'service.name': 'parcel',
        'gen_ai.system': 'azure.ai.agentserver',
        'gen_ai.provider.name': 'AzureAI Hosted Agents',
        'gen_ai.operation.name': 'invoke_agent',
        'gen_ai.response.id': 'i1',
        'gen_ai.agent.name': 'parcel',
        'gen_ai.agent.version': '3',
        'microsoft.session.id': 's1',
        'microsoft.foundry.project.id': '/subscriptions/s/projects/p',
        x_request_id: 'r1',
        [`${INVOCATIONS}.invocation_id`]: 'i1',
        [`${INVOCATIONS}.session_id`]: 's1',
      });
      const inner = await sink.waitForSpan(({ spanId }) => spanId === operation.spanId);
      expect([inner.name, inner.parentSpanId, inner.traceId]).toEqual(['framework_op', span.spanId, TRACE]);
      expect(inner.startNs).toBeGreaterThanOrEqual(span.startNs - CLOCK_RESOLUTION_NS);
      expect(inner.endNs).toBeLessThanOrEqual(span.endNs + CLOCK_RESOLUTION_NS);
    },
  );

  test(
    'is a root of its own without a caller, and its trace id is the request id',
    verifies('trace:span', 'header:request-id:trace'),
    async () => {
      const { fixture, sink } = otel();
      const answer = await post(fixture.port, '/invocations', { headers: { [INVOCATION_ID]: 'root' } });
      const span = await serverSpan(sink, 'root');
      expect(span.parentSpanId).toBe(NO_PARENT);
      expect((answer.json() as Operation).traceId).toBe(span.traceId);
      expect(answer.header('x-request-id')).toBe(span.traceId);
    },
  );

  test(
    'is named after what is known of the agent, and after the operation',
    verifies('trace:span:name', 'trace:span:attributes'),
    async () => {
      const named = info();
      await post(named.fixture.port, '/invocations', { headers: { [INVOCATION_ID]: 'n1' } });
      await get(named.fixture.port, '/invocations/n2');
      await post(named.fixture.port, '/invocations/n3/cancel');
      const spans = await Promise.all(['n1', 'n2', 'n3'].map((id) => serverSpan(named.sink, id)));
      expect(spans.map(({ name }) => name)).toEqual([
        'invoke_agent solo',
        'get_invocation solo',
        'cancel_invocation solo',
      ]);
      expect(spans.map(({ attributes }) => attributes['gen_ai.agent.id'])).toEqual(['solo', 'solo', 'solo']);
      const unnamed = nyi();
      await post(unnamed.fixture.port, '/invocations', { headers: { [INVOCATION_ID]: 'n4' } });
      const span = await serverSpan(unnamed.sink, 'n4');
      expect(span.name).toBe('invoke_agent');
      expect(span.attributes['gen_ai.agent.id'] ?? '').toBe('');
      expect(span.attributes['service.name']).toBe('azure.ai.agentserver');
      expect(span.resource['service.name']).toBe('azure.ai.agentserver');
      expect(span.attributes).not.toHaveProperty('gen_ai.agent.name');
      expect(span.attributes).not.toHaveProperty('gen_ai.agent.version');
      expect(span.attributes).not.toHaveProperty('microsoft.foundry.project.id');
      expect(span.attributes).not.toHaveProperty('x_request_id');
    },
  );

  test(
    'changes nothing about context and baggage',
    verifies('trace:span:switch', 'trace:baggage', 'trace:baggage:request-id', 'identity:apart'),
    async () => {
      const { fixture } = otel();
      await Promise.all(
        Array.from({ length: 10 }, async (_, n) => {
          const answer = await post(
            fixture.port,
            `/invocations?ms=${n * 3}&agent_session_id=s${n}${n % 2 ? '&sse=1' : ''}`,
            {
              headers: { [INVOCATION_ID]: `b${n}`, baggage: `n=${n}`, 'x-request-id': `r${n}` },
            },
          );
          expect((JSON.parse(answer.text.replace(/^data: /, '')) as Operation).baggage).toEqual({
            n: `${n}`,
            'azure.ai.agentserver.invocation_id': `b${n}`,
            'azure.ai.agentserver.session_id': `s${n}`,
            x_request_id: `r${n}`,
          });
        }),
      );
    },
  );

  test('is marked as failed when the handler fails', verifies('trace:span:error'), async () => {
    const { fixture, sink } = boom();
    await post(fixture.port, '/invocations', { headers: { [INVOCATION_ID]: 'f1' } });
    await get(fixture.port, '/invocations/f2');
    await post(fixture.port, '/invocations/f3/cancel');
    for (const id of ['f1', 'f2', 'f3']) {
      const span = await serverSpan(sink, id);
      expectFailed(span, 'internal_error', 'secret-detail-42', 'Error');
    }
  });

  test('of what is not implemented is marked so', verifies('trace:span:error'), async () => {
    const { fixture, sink } = nyi();
    await post(fixture.port, '/invocations', { headers: { [INVOCATION_ID]: 'f4' } });
    expectFailed(await serverSpan(sink, 'f4'), 'not_implemented', 'later', 'NotImplementedError');
  });

  test(
    'of a stream ends with the stream and is current in its source',
    verifies('trace:span:stream', 'trace:context:stream', 'trace:flush'),
    async () => {
      const { fixture, sink } = otel();
      const answer = await post(fixture.port, '/invocations?sse=1&ms=200', {
        headers: { [INVOCATION_ID]: 'st1', traceparent: TRACEPARENT },
      });
      const operation = JSON.parse(answer.text.replace(/^data: /, '')) as Operation;
      const span = await serverSpan(sink, 'st1');
      const inner = await sink.waitForSpan(({ spanId }) => spanId === operation.spanId);
      expect([inner.traceId, inner.parentSpanId]).toEqual([TRACE, span.spanId]);
      expect(inner.endNs).toBeLessThanOrEqual(span.endNs + CLOCK_RESOLUTION_NS);
      expect(span.endNs - span.startNs).toBeGreaterThan(190_000_000n);
    },
  );

  test('of a stream that fails is marked as failed', verifies('trace:span:stream-error'), async () => {
    const { fixture, sink } = sse();
    await post(fixture.port, '/invocations?fail=1&gap=20', { headers: { [INVOCATION_ID]: 'st2' } });
    expectFailed(await serverSpan(sink, 'st2'), 'internal_error', 'stream-broke', 'Error');
  });

  test(
    'of a stream whose client leaves ends, unfailed',
    verifies('trace:span:stream', 'disconnect:stream'),
    async () => {
      const { fixture, sink } = sse();
      const wire = await Wire.open(fixture.port);
      wire.ask({
        method: 'POST',
        target: '/invocations?n=inf&gap=60000',
        headers: { [INVOCATION_ID]: 'st3' },
        body: '',
      });
      await wire.head();
      await wire.chunk();
      wire.close();
      expect((await serverSpan(sink, 'st3')).statusCode).not.toBe(STATUS_ERROR);
    },
  );

  test('is not made for readiness, documents and unknown paths', verifies('trace:span'), async () => {
    const { fixture, sink } = info();
    await get(fixture.port, '/readiness', { headers: { traceparent: TRACEPARENT } });
    await get(fixture.port, '/nope');
    await get(fixture.port, '/invocations/docs/openapi.json');
    await post(fixture.port, '/invocations', { headers: { [INVOCATION_ID]: 'only' } });
    await serverSpan(sink, 'only');
    const names = sink.spans().map(({ name }) => name.split(' ')[0]);
    expect(
      names.filter((name) => !['invoke_agent', 'get_invocation', 'cancel_invocation'].includes(name ?? '')),
    ).toEqual([]);
  });

  test(
    'and every other span are enriched, over what frameworks wrote',
    verifies('trace:enrichment:start', 'trace:enrichment:end', 'trace:resource'),
    async () => {
      const { fixture, sink } = otel();
      const answer = await post(fixture.port, '/invocations?agentname=framework&agent_session_id=es', {
        headers: { baggage: 'azure.ai.agentserver.conversation_id=conv-1' },
      });
      const { spanId } = answer.json() as Operation;
      const inner = await sink.waitForSpan((span) => span.spanId === spanId);
      expect(inner.attributes).toMatchObject({
        'gen_ai.agent.name': 'parcel',
        'gen_ai.agent.version': '3',
        'gen_ai.agent.id': 'instance-1',
        'gen_ai.agent.blueprint.id': 'blueprint-1',
        'microsoft.tenant.id': 'tenant-1',
        'microsoft.foundry.project.id': '/subscriptions/s/projects/p',
        'microsoft.session.id': 'es',
        'gen_ai.conversation.id': 'conv-1',
      });
      const server = await sink.waitForSpan((span) => span.spanId === inner.parentSpanId);
      for (const span of [inner, server]) {
        expect(span.resource['service.name']).toBe('parcel');
        expect(span.attributes['gen_ai.agent.id']).toBe('instance-1');
        expect(span.attributes['microsoft.tenant.id']).toBe('tenant-1');
      }
    },
  );

  test('the agent id falls back to name and version, then to the name', verifies('trace:enrichment:end'), async () => {
    const sink = await startOtlpSink();
    const base = { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, FOUNDRY_AGENT_NAME: 'a' };
    for (const [env, id] of [
      [{ ...base, FOUNDRY_AGENT_VERSION: '9' }, 'a:9'],
      [base, 'a'],
    ] as const) {
      await withFixture('otel', env as FixtureEnv, async (fixture) => {
        const { spanId } = (await post(fixture.port, '/invocations?agentname=x')).json() as Operation;
        const inner = await sink.waitForSpan((span) => span.spanId === spanId);
        expect(inner.attributes['gen_ai.agent.id']).toBe(id);
        expect(inner.attributes).not.toHaveProperty('gen_ai.agent.blueprint.id');
        expect(inner.attributes).not.toHaveProperty('microsoft.tenant.id');
      });
    }
    await sink.close();
  });
});

describe('WebSocket tracing', () => {
  const info = useTraced('wsinfo', { ...IDENTITY, FOUNDRY_AGENT_SESSION_ID: 'ws-s' });
  const boom = useTraced('wsboom');
  const raw = useTraced('wsraw');
  const off = useTraced('wsinfo', { FIXTURE_SPANS: 'off' });
  const bare = useFixture('wsinfo');

  test(
    "the span of a connection is the parent of the handler's spans",
    verifies('trace:ws-span', 'trace:ws-context'),
    async () => {
      const { fixture, sink } = info();
      const socket = await SocketWire.open(fixture.port, '/invocations_ws', { traceparent: TRACEPARENT });
      const seen = JSON.parse(await socket.text()) as { traceId: string; spanId: string; parentSpanId: string };
      expect(await socket.ending()).toEqual([{ code: 1000, reason: '' }]);
      const span = await sink.waitForSpan(({ spanId }) => spanId === seen.parentSpanId);
      expect(span).toMatchObject({
        name: 'websocket_session parcel:3',
        kind: KIND_SERVER,
        traceId: TRACE,
        parentSpanId: PARENT,
      });
      expect(span.attributes).toMatchObject({
        'service.name': 'parcel',
        'gen_ai.system': 'azure.ai.agentserver',
        'gen_ai.provider.name': 'AzureAI Hosted Agents',
        'gen_ai.operation.name': 'websocket_session',
        'gen_ai.response.id': 'ws-s',
        'gen_ai.agent.name': 'parcel',
        'microsoft.session.id': 'ws-s',
        [`${SOCKETS}.session_id`]: 'ws-s',
        [`${SOCKETS}.close_code`]: 1000,
      });
      expect(Number(span.attributes[`${SOCKETS}.duration_ms`])).toBeGreaterThanOrEqual(0);
      expect(span.attributes).not.toHaveProperty(`${SOCKETS}.error.code`);
      const inner = await sink.waitForSpan(({ spanId }) => spanId === seen.spanId);
      expect([inner.traceId, inner.parentSpanId]).toEqual([TRACE, span.spanId]);
      expect(inner.attributes['microsoft.session.id']).toBe('ws-s');
    },
  );

  test('a failing handler marks it', verifies('trace:ws-span'), async () => {
    const { fixture, sink } = boom();
    const socket = await SocketWire.open(fixture.port);
    socket.send(1, 'go');
    await socket.ending();
    const span = await sink.waitForSpan(({ name }) => name === 'websocket_session');
    expect(span.statusCode).toBe(STATUS_ERROR);
    expect(span.attributes).toMatchObject({
      [`${SOCKETS}.close_code`]: 1011,
      [`${SOCKETS}.error.code`]: 'internal_error',
      'error.type': 'Error',
    });
    expect(span.events.some(({ name }) => name === 'exception')).toBe(true);
  });

  test('a client that leaves does not mark it', verifies('trace:ws-span', 'ws:close:client'), async () => {
    const { fixture, sink } = raw();
    const socket = await SocketWire.open(fixture.port);
    socket.close(4005);
    const span = await sink.waitForSpan(({ attributes }) => attributes[`${SOCKETS}.close_code`] === 4005);
    expect(span.statusCode).not.toBe(STATUS_ERROR);
    expect(span.attributes).not.toHaveProperty('error.type');
  });

  test(
    "with spans off or without exporter the caller's span is current",
    verifies('trace:ws-context', 'trace:context:no-exporter', 'trace:span:switch'),
    async () => {
      for (const port of [off().fixture.port, bare().port]) {
        const socket = await SocketWire.open(port, '/invocations_ws', { traceparent: TRACEPARENT });
        const seen = JSON.parse(await socket.text()) as { traceId: string; parentSpanId: string };
        expect([seen.traceId, seen.parentSpanId]).toEqual([TRACE, PARENT]);
        await socket.ending();
        const alone = await SocketWire.open(port);
        expect((JSON.parse(await alone.text()) as { parentSpanId: string }).parentSpanId).toBe('');
        await alone.ending();
      }
      expect(
        off()
          .sink.spans()
          .filter(({ name }) => name.startsWith('websocket_session')),
      ).toEqual([]);
    },
  );
});

describe('exporters', () => {
  test('spans are on by option even where the environment says off', verifies('trace:span:switch'), async () => {
    const sink = await startOtlpSink();
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, AGENTSERVER_SPANS: 'off', FIXTURE_SPANS: 'on' };
    await withFixture('echo', env, async (fixture) => {
      await post(fixture.port, '/invocations', { headers: { [INVOCATION_ID]: 'on' } });
      await serverSpan(sink, 'on');
    });
    await sink.close();
  });

  test('an endpoint of its own for traces is enough, and headers are sent along', verifies('trace:otlp'), async () => {
    const sink = await startOtlpSink();
    const env = {
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${sink.url}/custom/v1/traces`,
      OTEL_EXPORTER_OTLP_HEADERS: 'x-common=c%20d,x-both=common',
      OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'x-both=traces',
    };
    await withFixture('echo', env, async (fixture) => {
      await post(fixture.port, '/invocations', { headers: { [INVOCATION_ID]: 'per-signal' } });
      await serverSpan(sink, 'per-signal');
      const request = sink.requests.find(({ path }) => path.includes('traces'));
      expect(request?.path).toBe('/custom/v1/traces');
      expect(request?.headers['content-type']).toBe('application/x-protobuf');
      expect(request?.headers['x-both']).toBe('traces');
    });
    await sink.close();
  });

  test('gRPC is spoken when asked for', verifies('trace:otlp'), async () => {
    const sink = await startGrpcOtlpSink();
    await withFixture(
      'echo',
      { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' },
      async (fixture) => {
        await post(fixture.port, '/invocations', { headers: { [INVOCATION_ID]: 'grpc' } });
        await serverSpan(sink, 'grpc');
      },
    );
    await sink.close();
  });

  test('the sampler of the environment is honoured', verifies('trace:sampler'), async () => {
    const sink = await startOtlpSink();
    await withFixture(
      'otel',
      { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, OTEL_TRACES_SAMPLER: 'always_off' },
      async (fixture) => {
        const answer = await post(fixture.port, '/invocations', { headers: { traceparent: TRACEPARENT } });
        expect((answer.json() as Operation).traceId).toBe(TRACE);
        fixture.signal('SIGTERM');
        expect((await fixture.exit).code).toBe(0);
      },
    );
    expect(sink.spans()).toEqual([]);
    await withFixture('otel', { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url }, async (fixture) => {
      await post(fixture.port, '/invocations', {
        headers: { traceparent: `00-${TRACE}-${PARENT}-00`, [INVOCATION_ID]: 'unsampled' },
      });
      await post(fixture.port, '/invocations', { headers: { [INVOCATION_ID]: 'sampled' } });
      await serverSpan(sink, 'sampled');
    });
    expect(
      sink.spans().filter(({ traceId }) => traceId === TRACE),
      'the caller chose not to sample',
    ).toEqual([]);
    await sink.close();
  });

  test('what is recorded right before the end arrives', verifies('trace:flush'), async () => {
    const sink = await startOtlpSink();
    await withFixture('slow', { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url }, async (fixture) => {
      const running = post(fixture.port, '/invocations?ms=400', { headers: { [INVOCATION_ID]: 'last' } });
      await fixture.record(({ message }) => message.includes('/invocations'), 'of the request');
      fixture.signal('SIGTERM');
      expect((await running).text).toBe('done');
      expect((await fixture.exit).code).toBe(0);
      expect(sink.spans().some(({ attributes }) => attributes['gen_ai.response.id'] === 'last')).toBe(true);
    });
    await sink.close();
  });

  test(
    'a span has left within moments of its response, for the process may be frozen then',
    verifies('trace:flush'),
    async () => {
      const sink = await startOtlpSink();
      await withFixture('sse', { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url }, async (fixture) => {
        for (const query of ['n=1', 'n=3&gap=30']) {
          await post(fixture.port, `/invocations?${query}`, {
            headers: { [INVOCATION_ID]: query.replace(/\W/g, '-') },
          });
          await sink.waitForSpan(
            ({ attributes }) => attributes['gen_ai.response.id'] === query.replace(/\W/g, '-'),
            2500,
          );
        }
      });
      await sink.close();
    },
  );

  test.for(['refused', 'silent', 'garbage'] as const)(
    'a collector that is %s slows nothing down',
    verifies('trace:dead-collector'),
    async (kind) => {
      const collector = await deadCollector(kind);
      await withFixture(
        'echo',
        { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collector.port}` },
        async (fixture) => {
          const started = performance.now();
          for (let n = 0; n < 30; n += 1)
            expect((await post(fixture.port, '/invocations', { body: 'x' })).text).toBe('x');
          expect(performance.now() - started).toBeLessThan(4000);
          const stopping = performance.now();
          fixture.signal('SIGTERM');
          expect((await fixture.exit).code).toBe(0);
          expect(performance.now() - stopping, 'the last flush takes 5 s at most').toBeLessThan(9000);
          expect(fixture.records().filter(({ level }) => level === 'ERROR' || level === 'CRITICAL')).toEqual([]);
        },
      );
      await collector.close();
    },
  );

  test(
    'Azure Monitor is fed when its connection string is set, beside OTLP',
    verifies('trace:azure-monitor'),
    async () => {
      const otlp = await startOtlpSink();
      const ingestion = await startIngestion();
      const env = {
        OTEL_EXPORTER_OTLP_ENDPOINT: otlp.url,
        APPLICATIONINSIGHTS_CONNECTION_STRING: `InstrumentationKey=00000000-1111-2222-3333-444444444444;IngestionEndpoint=http://127.0.0.1:${ingestion.port}/`,
        APPLICATION_INSIGHTS_NO_STATSBEAT: 'true',
      };
      await withFixture('echo', env, async (fixture) => {
        await post(fixture.port, '/invocations', { headers: { [INVOCATION_ID]: 'both-ways' } });
        await serverSpan(otlp, 'both-ways');
        await until(
          () => (ingestion.received().includes('both-ways') ? true : undefined),
          () => `nothing of the invocation reached Azure Monitor: ${ingestion.received().slice(0, 500)}`,
        );
        fixture.signal('SIGTERM');
        expect((await fixture.exit).code).toBe(0);
      });
      await Promise.all([otlp.close(), ingestion.close()]);
    },
  );

  test('ids in the answer are the same with and without exporters', verifies('trace:no-exporter'), async () => {
    await withFixture('otel', {}, async (fixture) => {
      const answer = await post(fixture.port, '/invocations?agent_session_id=s', { headers: { [INVOCATION_ID]: 'i' } });
      expect([answer.status, answer.header(INVOCATION_ID), answer.header(SESSION_ID)]).toEqual([200, 'i', 's']);
      expect((answer.json() as Operation).baggage).toEqual({
        'azure.ai.agentserver.invocation_id': 'i',
        'azure.ai.agentserver.session_id': 's',
      });
    });
  });
});

function serverSpan(sink: OtlpSink, invocationId: string): Promise<ReceivedSpan> {
  return sink.waitForSpan(
    (span) => span.kind === KIND_SERVER && span.attributes[`${INVOCATIONS}.invocation_id`] === invocationId,
  );
}

function expectFailed(span: ReceivedSpan, code: string, message: string, type: string): void {
  expect([span.statusCode, span.statusMessage]).toEqual([STATUS_ERROR, message]);
  expect(span.attributes).toMatchObject({
    [`${INVOCATIONS}.error.code`]: code,
    [`${INVOCATIONS}.error.message`]: message,
    'error.type': type,
  });
  const exceptions = span.events.filter(({ name }) => name === 'exception');
  expect(exceptions.length).toBe(1);
  expect(exceptions[0]?.attributes).toMatchObject({ 'exception.type': type, 'exception.message': message });
}

async function deadCollector(
  kind: 'refused' | 'silent' | 'garbage',
): Promise<{ port: number; close(): Promise<void> }> {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on('error', () => {}).resume();
    if (kind === 'garbage') socket.end('this is not HTTP\r\n\r\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const close = () => {
    for (const socket of open) socket.destroy();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  };
  if (kind === 'refused') await close();
  return { port, close: kind === 'refused' ? () => Promise.resolve() : close };
}

/** Stands in for Azure Monitor's ingestion endpoint. */
async function startIngestion(): Promise<{ port: number; received(): string; close(): Promise<void> }> {
  const bodies: string[] = [];
  const server = createHttpServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const bytes = Buffer.concat(parts);
      bodies.push((request.headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes).toString());
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end('{"itemsReceived":1,"itemsAccepted":1,"errors":[]}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as { port: number }).port,
    received: () => bodies.join('\n'),
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
