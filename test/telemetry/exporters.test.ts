import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { context, propagation, ROOT_CONTEXT, SpanKind, SpanStatusCode, TraceFlags, trace } from '@opentelemetry/api';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Env, ExportedAgent, Exporters } from '../../src/telemetry/export.ts';
import { startExporters } from '../../src/telemetry/exporters.ts';
import { installTraceContext } from '../../src/telemetry/tracing.ts';
import { type OtlpSink, startGrpcOtlpSink, startOtlpSink } from '../support/otlp-sink.ts';

installTraceContext();
// The Azure package otherwise reports statistics about itself over the network.
vi.stubEnv('APPLICATION_INSIGHTS_NO_STATSBEAT', '1');

const anonymous: ExportedAgent = {
  name: '',
  version: '',
  id: '',
  instanceClientId: '',
  blueprintClientId: '',
  tenantId: '',
  projectArmId: '',
};
const parcelTracker: ExportedAgent = {
  name: 'parcel-tracker',
  version: '3',
  id: 'a-guid',
  instanceClientId: '',
  blueprintClientId: 'blueprint-1',
  tenantId: 'tenant-1',
  projectArmId: '/subscriptions/s/projects/p',
};

const cleanUps: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

function tracked<Closable extends { close(): Promise<unknown> }>(closable: Closable): Closable {
  cleanUps.push(() => closable.close());
  return closable;
}

async function start(env: Env, agent = anonymous): Promise<Exporters & { warnings: string[] }> {
  const warnings: string[] = [];
  const exporters = await startExporters({ env, agent, onWarning: (message) => warnings.push(message) });
  cleanUps.push(() => exporters.shutdown());
  return { ...exporters, warnings };
}

const sinkEnv = (sink: OtlpSink, more: Env = {}): Env => ({ OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, ...more });

function record(exporters: Exporters, name: string, parent = ROOT_CONTEXT): void {
  exporters.tracerProvider.getTracer('test').startSpan(name, {}, parent).end();
}

const baggage = (entries: Record<string, string>) =>
  propagation.setBaggage(
    ROOT_CONTEXT,
    propagation.createBaggage(Object.fromEntries(Object.entries(entries).map(([key, value]) => [key, { value }]))),
  );

describe('spans over OTLP http/protobuf', () => {
  it('arrive whole: ids, kind, times, attributes, events and status', async () => {
    const sink = tracked(await startOtlpSink());
    const exporters = await start(sinkEnv(sink));
    const parent = trace.setSpanContext(ROOT_CONTEXT, {
      traceId: '0af7651916cd43dd8448eb211c80319c',
      spanId: 'b7ad6b7169203331',
      traceFlags: TraceFlags.SAMPLED,
    });
    const span = exporters.tracerProvider.getTracer('scope-1').startSpan(
      'invoke_agent',
      {
        kind: SpanKind.SERVER,
        attributes: { text: 'Tést 世界', count: 7, negative: -1, ratio: 0.5, yes: true, list: ['a', 'b'] },
      },
      parent,
    );
    span.recordException(new Error('broken'));
    span.setStatus({ code: SpanStatusCode.ERROR, message: 'broken' });
    span.end();
    await exporters.flush();

    const [received] = sink.spans();
    expect(received).toMatchObject({
      scope: 'scope-1',
      name: 'invoke_agent',
      kind: 2,
      traceId: '0af7651916cd43dd8448eb211c80319c',
      spanId: span.spanContext().spanId,
      parentSpanId: 'b7ad6b7169203331',
      attributes: { text: 'Tést 世界', count: 7, negative: -1, ratio: 0.5, yes: true, list: ['a', 'b'] },
      events: [{ name: 'exception', attributes: { 'exception.type': 'Error', 'exception.message': 'broken' } }],
      statusCode: 2,
      statusMessage: 'broken',
    });
    expect((received?.endNs ?? 0n) >= (received?.startNs ?? 1n)).toBe(true);
    expect(sink.requests.map(({ path }) => path)).toEqual(['/v1/traces']);
    expect(exporters.warnings).toEqual([]);
  });

  it('carry the configured headers, those of the signal before the common ones', async () => {
    const sink = tracked(await startOtlpSink());
    const exporters = await start(
      sinkEnv(sink, {
        OTEL_EXPORTER_OTLP_HEADERS: 'x-common=both,x-key=common',
        OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'x-key=traces%20only',
      }),
    );
    record(exporters, 'any');
    exporters.emitLog({ time: 0, level: 'info', message: 'any', fields: {}, context: ROOT_CONTEXT });
    await exporters.flush();
    const headersOf = (path: string) => sink.requests.find((request) => request.path === path)?.headers;
    expect(headersOf('/v1/traces')).toMatchObject({ 'x-common': 'both', 'x-key': 'traces only' });
    expect(headersOf('/v1/logs')).toMatchObject({ 'x-common': 'both', 'x-key': 'common' });
  });

  it("go to the signal's own endpoint as it is written, while logs follow the common one", async () => {
    const [traces, common] = [tracked(await startOtlpSink()), tracked(await startOtlpSink())];
    const exporters = await start({
      OTEL_EXPORTER_OTLP_ENDPOINT: `${common.url}/base/`,
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${traces.url}/custom`,
    });
    record(exporters, 'any');
    exporters.emitLog({ time: 0, level: 'info', message: 'any', fields: {}, context: ROOT_CONTEXT });
    await exporters.flush();
    expect(traces.requests.map(({ path }) => path)).toEqual(['/custom']);
    expect(common.requests.map(({ path }) => path)).toEqual(['/base/v1/logs']);
  });

  it.each([
    ['parentbased_always_on', undefined, 1],
    ['always_off', undefined, 0],
    ['traceidratio', '0', 0],
    ['parentbased_traceidratio', '1', 1],
    ['nonsense', undefined, 1],
  ])('are sampled by OTEL_TRACES_SAMPLER=%s with argument %s', async (sampler, argument, expected) => {
    const sink = tracked(await startOtlpSink());
    const exporters = await start(sinkEnv(sink, { OTEL_TRACES_SAMPLER: sampler, OTEL_TRACES_SAMPLER_ARG: argument }));
    record(exporters, 'any');
    await exporters.flush();
    expect(sink.spans()).toHaveLength(expected);
    expect(exporters.warnings).toHaveLength(sampler === 'nonsense' ? 1 : 0);
  });

  it("follow the caller's decision not to sample", async () => {
    const sink = tracked(await startOtlpSink());
    const exporters = await start(sinkEnv(sink));
    const parent = trace.setSpanContext(ROOT_CONTEXT, {
      traceId: '0af7651916cd43dd8448eb211c80319c',
      spanId: 'b7ad6b7169203331',
      traceFlags: TraceFlags.NONE,
    });
    record(exporters, 'any', parent);
    await exporters.flush();
    expect(sink.spans()).toEqual([]);
  });
});

describe('spans and logs over OTLP gRPC', () => {
  it('arrive with the configured headers', async () => {
    const sink = tracked(await startGrpcOtlpSink());
    const exporters = await start(
      sinkEnv(sink, { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc', OTEL_EXPORTER_OTLP_HEADERS: 'x-key=secret' }),
      parcelTracker,
    );
    record(exporters, 'over-grpc');
    exporters.emitLog({ time: 1, level: 'warn', message: 'log-over-grpc', fields: {}, context: ROOT_CONTEXT });
    await exporters.flush();
    expect(sink.spans()).toMatchObject([{ name: 'over-grpc', attributes: { 'gen_ai.agent.name': 'parcel-tracker' } }]);
    expect(sink.logs()).toMatchObject([{ body: 'log-over-grpc', severityText: 'WARN' }]);
    expect(sink.requests[0]?.headers).toMatchObject({ 'x-key': 'secret' });
  });

  it('can be asked for one signal alone', async () => {
    const [grpc, http] = [tracked(await startGrpcOtlpSink()), tracked(await startOtlpSink())];
    const exporters = await start({
      OTEL_EXPORTER_OTLP_ENDPOINT: http.url,
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: grpc.url,
      OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'grpc',
    });
    record(exporters, 'any');
    exporters.emitLog({ time: 1, level: 'info', message: 'any', fields: {}, context: ROOT_CONTEXT });
    await exporters.flush();
    expect([grpc.spans().length, grpc.logs().length]).toEqual([1, 0]);
    expect([http.spans().length, http.logs().length]).toEqual([0, 1]);
  });
});

describe('enrichment', () => {
  it('gives every span the project, the session, the conversation and the agent', async () => {
    const sink = tracked(await startOtlpSink());
    const exporters = await start(sinkEnv(sink), parcelTracker);
    const parent = baggage({
      'azure.ai.agentserver.session_id': 'session-1',
      'azure.ai.agentserver.conversation_id': 'conversation-1',
    });
    record(exporters, 'framework_op', parent);
    await exporters.flush();
    expect(sink.spans()[0]?.attributes).toEqual({
      'microsoft.foundry.project.id': '/subscriptions/s/projects/p',
      'microsoft.session.id': 'session-1',
      'gen_ai.conversation.id': 'conversation-1',
      'gen_ai.agent.name': 'parcel-tracker',
      'gen_ai.agent.version': '3',
      'gen_ai.agent.id': 'parcel-tracker:3',
      'gen_ai.agent.blueprint.id': 'blueprint-1',
      'microsoft.tenant.id': 'tenant-1',
    });
  });

  it('overrides what a framework wrote about the agent, even on a span that is full', async () => {
    const sink = tracked(await startOtlpSink());
    const exporters = await start(sinkEnv(sink), { ...parcelTracker, instanceClientId: 'instance-1' });
    const span = exporters.tracerProvider.getTracer('framework').startSpan('op', {}, ROOT_CONTEXT);
    for (let index = 0; index < 200; index += 1) span.setAttribute(`filler-${index}`, index);
    span.setAttribute('gen_ai.agent.name', 'framework-name');
    span.end();
    await exporters.flush();
    expect(sink.spans()[0]?.attributes).toMatchObject({
      'gen_ai.agent.name': 'parcel-tracker',
      'gen_ai.agent.id': 'instance-1',
    });
  });

  it('leaves alone what it knows nothing of', async () => {
    const sink = tracked(await startOtlpSink());
    const exporters = await start(sinkEnv(sink));
    const span = exporters.tracerProvider.getTracer('framework').startSpan('op', {}, ROOT_CONTEXT);
    span.setAttribute('gen_ai.agent.name', 'framework-name');
    span.end();
    await exporters.flush();
    expect(sink.spans()[0]?.attributes).toEqual({ 'gen_ai.agent.name': 'framework-name' });
  });

  it.each([
    [parcelTracker, 'parcel-tracker'],
    [anonymous, 'azure.ai.agentserver'],
  ])('names the service after the agent, whatever OTEL_SERVICE_NAME says', async (agent, expected) => {
    const sink = tracked(await startOtlpSink());
    const exporters = await start(
      sinkEnv(sink, {
        OTEL_SERVICE_NAME: 'ignored',
        OTEL_RESOURCE_ATTRIBUTES: 'service.name=ignored,deployment.environment=test%20bed',
      }),
      agent,
    );
    record(exporters, 'any');
    exporters.emitLog({ time: 0, level: 'info', message: 'any', fields: {}, context: ROOT_CONTEXT });
    await exporters.flush();
    const resource = { 'service.name': expected, 'deployment.environment': 'test bed' };
    expect(sink.spans()[0]?.resource).toMatchObject(resource);
    expect(sink.logs()[0]?.resource).toMatchObject(resource);
  });
});

describe('log records over OTLP', () => {
  it('carry the fields, every baggage entry and the ids of the current span', async () => {
    const sink = tracked(await startOtlpSink());
    const exporters = await start(sinkEnv(sink));
    const caller = baggage({ 'azure.ai.agentserver.invocation_id': 'inv-1', tenant: 'from-caller', plain: 'value' });
    const span = exporters.tracerProvider.getTracer('test').startSpan('op', {}, caller);
    exporters.emitLog({
      time: 1_700_000_000_123,
      level: 'error',
      message: 'Error processing invocation inv-1: broken',
      fields: {
        tenant: 'ours',
        absent: undefined,
        size: 3,
        nested: { list: [1, 'two'], when: new Date(0) },
        error: { type: 'TypeError', message: 'broken', stack: 'at line 1' },
      },
      context: trace.setSpan(caller, span),
    });
    span.end();
    await exporters.flush();
    expect(sink.logs()).toEqual([
      expect.objectContaining({
        timeNs: 1_700_000_000_123_000_000n,
        severityNumber: 17,
        severityText: 'ERROR',
        body: 'Error processing invocation inv-1: broken',
        traceId: span.spanContext().traceId,
        spanId: span.spanContext().spanId,
        attributes: {
          'azure.ai.agentserver.invocation_id': 'inv-1',
          plain: 'value',
          tenant: 'ours',
          size: 3,
          nested: { list: [1, 'two'], when: '1970-01-01T00:00:00.000Z' },
          'exception.type': 'TypeError',
          'exception.message': 'broken',
          'exception.stacktrace': 'at line 1',
        },
      }),
    ]);
  });

  it('have no ids outside of a span, and survive fields that refer to themselves', async () => {
    const sink = tracked(await startOtlpSink());
    const exporters = await start(sinkEnv(sink));
    const cyclic: Record<string, unknown> = {};
    cyclic['self'] = cyclic;
    exporters.emitLog({ time: 0, level: 'debug', message: 'tick', fields: { cyclic }, context: ROOT_CONTEXT });
    await exporters.flush();
    expect(sink.logs()).toMatchObject([{ body: 'tick', severityNumber: 5, traceId: '', spanId: '' }]);
  });
});

describe('a collector that does not take what is sent', () => {
  it('that refuses connections costs one warning and no time of the caller', async () => {
    const sink = await startOtlpSink();
    await sink.close();
    const exporters = await start(sinkEnv(sink, { OTEL_EXPORTER_OTLP_TIMEOUT: '500' }));
    for (let round = 0; round < 3; round += 1) {
      record(exporters, `span-${round}`);
      exporters.emitLog({ time: 0, level: 'info', message: 'log', fields: {}, context: ROOT_CONTEXT });
      await exporters.flush();
    }
    expect(exporters.warnings).toEqual([expect.stringContaining(`the OTLP collector at ${sink.url} (`)]);
    expect(exporters.warnings[0]).toContain('ECONNREFUSED');
  });

  it('that accepts and never answers holds nobody: recording goes on, and the queue stays bounded', async () => {
    const silent = createServer().listen(0, '127.0.0.1');
    const sockets = new Set<Socket>();
    silent.on('connection', (socket) => sockets.add(socket));
    await once(silent, 'listening');
    tracked({
      close: async () => {
        for (const socket of sockets) socket.destroy();
        silent.close();
      },
    });
    const exporters = await start({
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(silent.address() as AddressInfo).port}`,
      OTEL_EXPORTER_OTLP_TIMEOUT: '300',
      OTEL_BSP_MAX_QUEUE_SIZE: '64',
      OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '64',
    });
    for (let index = 0; index < 10_000; index += 1) record(exporters, `span-${index}`);
    await exporters.flush();
    expect(exporters.warnings).toHaveLength(1);
    expect(exporters.warnings[0]).toMatch(/10000 spans or log records lost so far/);
  });

  it('that refuses with a status is named with it, and its answer is not repeated', async () => {
    const sink = tracked(
      await startOtlpSink({ answer: (_request, response) => response.writeHead(401).end('token abc123 is wrong') }),
    );
    const exporters = await start(sinkEnv(sink));
    record(exporters, 'any');
    await exporters.flush();
    expect(exporters.warnings).toEqual([expect.stringContaining('401 Unauthorized')]);
    expect(exporters.warnings[0]).not.toContain('abc123');
  });

  it('is told apart from an endpoint that cannot be one: that exporter is off', async () => {
    const exporters = await start({ OTEL_EXPORTER_OTLP_ENDPOINT: 'localhost:4318' });
    record(exporters, 'any');
    await exporters.flush();
    expect(exporters.warnings).toEqual([
      expect.stringMatching(/^Export of traces over OTLP is off.*OTEL_EXPORTER_OTLP_ENDPOINT must be an address/),
      expect.stringMatching(/^Export of logs over OTLP is off/),
    ]);
  });
});

describe('flush', () => {
  it('is shared by a burst of callers: few exports, nothing left behind', async () => {
    const sink = tracked(await startOtlpSink());
    const exporters = await start(sinkEnv(sink));
    const flushes: Promise<void>[] = [];
    for (let index = 0; index < 1_000; index += 1) {
      record(exporters, `span-${index}`);
      flushes.push(exporters.flush());
    }
    await Promise.all(flushes);
    expect(new Set(sink.spans().map(({ name }) => name)).size).toBe(1_000);
    expect(sink.requests.length).toBeLessThanOrEqual(4);
  });

  it('does not trace the export itself', async () => {
    const sink = tracked(await startOtlpSink());
    const exporters = await start(sinkEnv(sink));
    const span = exporters.tracerProvider.getTracer('test').startSpan('request', {}, ROOT_CONTEXT);
    await context.with(trace.setSpan(ROOT_CONTEXT, span), async () => {
      span.end();
      await exporters.flush();
    });
    await exporters.flush();
    expect(sink.spans().map(({ name }) => name)).toEqual(['request']);
  });

  it('at shutdown sends what is left, and later records are dropped quietly', async () => {
    const sink = tracked(await startOtlpSink());
    const exporters = await start(sinkEnv(sink));
    record(exporters, 'last');
    await exporters.shutdown();
    record(exporters, 'too-late');
    exporters.emitLog({ time: 0, level: 'info', message: 'too-late', fields: {}, context: ROOT_CONTEXT });
    await exporters.flush();
    await exporters.shutdown();
    expect(sink.spans().map(({ name }) => name)).toEqual(['last']);
    expect(sink.logs()).toEqual([]);
  });
});

describe('Azure Monitor', () => {
  async function startIngestion() {
    const envelopes: Record<string, unknown>[] = [];
    const server = createHttpServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const items = JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>[];
        envelopes.push(...items);
        const answer = { itemsReceived: items.length, itemsAccepted: items.length, errors: [] };
        response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    return tracked({
      envelopes,
      connectionString: `InstrumentationKey=11111111-2222-3333-4444-555555555555;IngestionEndpoint=http://127.0.0.1:${port}/`,
      close: async () => {
        server.close();
        server.closeAllConnections();
      },
    });
  }

  it('gets spans with enrichment and logs with baggage, beside OTLP', async () => {
    const ingestion = await startIngestion();
    const sink = tracked(await startOtlpSink());
    const exporters = await start(
      sinkEnv(sink, { APPLICATIONINSIGHTS_CONNECTION_STRING: ingestion.connectionString }),
      parcelTracker,
    );
    const caller = baggage({ 'azure.ai.agentserver.session_id': 'session-1' });
    record(exporters, 'framework_op', caller);
    exporters.emitLog({ time: 0, level: 'info', message: 'otel-log', fields: {}, context: caller });
    await exporters.flush();
    expect(sink.spans()).toHaveLength(1);
    const of = (baseType: string) =>
      ingestion.envelopes
        .map((envelope) => envelope['data'] as { baseType: string; baseData: Record<string, unknown> })
        .find((data) => data.baseType === baseType)?.baseData;
    expect(of('RemoteDependencyData')).toMatchObject({
      name: 'framework_op',
      properties: {
        'gen_ai.agent.name': 'parcel-tracker',
        'microsoft.session.id': 'session-1',
        'microsoft.foundry.project.id': '/subscriptions/s/projects/p',
        'microsoft.tenant.id': 'tenant-1',
      },
    });
    expect(of('MessageData')).toMatchObject({
      message: 'otel-log',
      properties: { 'azure.ai.agentserver.session_id': 'session-1' },
    });
  });

  it('that is unreachable costs one warning', async () => {
    const ingestion = await startIngestion();
    await ingestion.close();
    const exporters = await start({ APPLICATIONINSIGHTS_CONNECTION_STRING: ingestion.connectionString });
    for (let round = 0; round < 2; round += 1) {
      record(exporters, 'any');
      await exporters.flush();
    }
    expect(exporters.warnings).toEqual([expect.stringMatching(/does not reach Azure Monitor \(connect ECONNREFUSED/)]);
  });

  it('with a connection string that is none is off, and OTLP runs', async () => {
    const sink = tracked(await startOtlpSink());
    const exporters = await start(sinkEnv(sink, { APPLICATIONINSIGHTS_CONNECTION_STRING: 'InstrumentationKey=oops' }));
    record(exporters, 'any');
    await exporters.flush();
    expect(sink.spans()).toHaveLength(1);
    expect(exporters.warnings).toContainEqual(expect.stringMatching(/^Export to Azure Monitor is off/));
    expect(exporters.warnings.join()).not.toContain('oops');
  });
});

describe('Agent 365', () => {
  it.each([
    [{ FOUNDRY_AGENT365_TRACING_ENABLED: 'true', FOUNDRY_HOSTING_ENVIRONMENT: 'foundry' }, 1],
    [{ FOUNDRY_AGENT365_TRACING_ENABLED: '1', FOUNDRY_HOSTING_ENVIRONMENT: 'foundry' }, 1],
    [{ FOUNDRY_AGENT365_TRACING_ENABLED: 'true' }, 0],
    [{ FOUNDRY_AGENT365_TRACING_ENABLED: 'yes', FOUNDRY_HOSTING_ENVIRONMENT: 'foundry' }, 0],
  ])('%j gives %i warnings, because Node.js has no exporter for it', async (env, expected) => {
    const exporters = await start(env);
    expect(exporters.warnings).toHaveLength(expected);
  });
});
