/**
 * The exporters at work: builds what the environment asks for and ties spans and log records to it. This file and the
 * other `exporter-…` files are the only ones that know the OpenTelemetry SDK; they are imported dynamically, when an
 * exporter is switched on.
 */
import { TraceFlags } from '@opentelemetry/api';
import type { Resource } from '@opentelemetry/resources';
import type { ReadableLogRecord } from '@opentelemetry/sdk-logs';
import { BasicTracerProvider, type ReadableSpan, type SpanProcessor } from '@opentelemetry/sdk-trace-node';
import { type Clock, systemClock } from '../core/clock.ts';
import type { Batch } from './batch.ts';
import {
  type Env,
  type ExportedAgent,
  type ExportedLog,
  type ExporterOptions,
  type Exporters,
  exportersWanted,
  otlpSignalWanted,
  setting,
} from './export.ts';
import { createLossReport, describeReason, routeDiagnostics } from './export-warning.ts';
import { batchLimits, createDestinationBatch, type Destination } from './exporter-destination.ts';
import { createEnrichment } from './exporter-enrichment.ts';
import { createResource } from './exporter-resource.ts';
import { samplerFromEnv } from './exporter-sampler.ts';
import { createFlush } from './flush.ts';

/** Most time a flush or the shutdown may take (protocol §14.4). */
const FLUSH_LIMIT_MS = 5_000;
const FLUSH_SPACING_MS = 100;

/**
 * Sets up everything the environment switches on (see `exportersWanted`). Whatever cannot be set up is a warning, and
 * the rest works without it. Never rejects.
 */
export async function startExporters(options: ExporterOptions & { readonly clock?: Clock }): Promise<Exporters> {
  const { env, agent, onWarning, clock = systemClock } = options;
  const setUpIsDone = routeDiagnostics(onWarning, clock);
  if (isAgent365Wanted(env)) {
    onWarning(
      'FOUNDRY_AGENT365_TRACING_ENABLED is set, but there is no Agent 365 exporter for Node.js; other exporters are not affected.',
    );
  }
  const { spans, logs } = await createDestinations(env, onWarning, clock);
  const spanBatches = spans.map((destination) => createDestinationBatch(destination, batchLimits(env, 'BSP'), clock));
  const logBatches = logs.map((destination) => createDestinationBatch(destination, batchLimits(env, 'BLRP'), clock));
  const resource = createResource(env, agent.name);
  const tracerProvider = new BasicTracerProvider({
    resource,
    sampler: samplerFromEnv(env, onWarning),
    spanProcessors: [createSpanProcessor(agent, spanBatches)],
  });
  const emitLog = await createLogEmission(resource, logBatches);
  setUpIsDone();

  const batches = [...spanBatches, ...logBatches];
  const drain = () => Promise.all(batches.map((batch) => batch.drain()));
  const end = async () => {
    await drain();
    await Promise.allSettled([...spans, ...logs].map(({ exporter }) => exporter.shutdown()));
  };
  let ended: Promise<void> | undefined;
  return {
    tracerProvider,
    emitLog,
    flush: createFlush({ run: drain, clock, spacingMs: FLUSH_SPACING_MS, limitMs: FLUSH_LIMIT_MS }),
    shutdown() {
      ended ??= withinLimit(end(), clock).then(() => {
        for (const batch of batches) batch.close();
      });
      return ended;
    },
  };
}

async function createDestinations(env: Env, onWarning: (message: string) => void, clock: Clock) {
  const spans: Destination<ReadableSpan>[] = [];
  const logs: Destination<ReadableLogRecord>[] = [];
  const attempt = async (what: string, setUp: () => Promise<void>) => {
    try {
      await setUp();
    } catch (failure) {
      onWarning(`${what} is off, because it could not be set up: ${describeReason(failure)}.`);
    }
  };
  const wanted = exportersWanted(env);
  if (wanted.otlp) {
    const { createOtlpLogExporter, createOtlpSpanExporter, otlpDestination } = await import('./exporter-otlp.ts');
    const report = createLossReport(otlpDestination(env), 'OTEL_EXPORTER_OTLP_ENDPOINT', onWarning, clock);
    if (otlpSignalWanted(env, 'TRACES')) {
      await attempt('Export of traces over OTLP', async () => {
        spans.push({ exporter: await createOtlpSpanExporter(env, onWarning), report });
      });
    }
    if (otlpSignalWanted(env, 'LOGS')) {
      await attempt('Export of logs over OTLP', async () => {
        logs.push({ exporter: await createOtlpLogExporter(env, onWarning), report });
      });
    }
  }
  const connectionString = setting(env, 'APPLICATIONINSIGHTS_CONNECTION_STRING');
  if (wanted.azureMonitor && connectionString !== undefined) {
    await attempt('Export to Azure Monitor', async () => {
      const { createAzureExporters } = await import('./exporter-azure.ts');
      const azure = createAzureExporters(connectionString);
      const report = createLossReport('Azure Monitor', 'APPLICATIONINSIGHTS_CONNECTION_STRING', onWarning, clock);
      spans.push({ exporter: azure.spans, report });
      logs.push({ exporter: azure.logs, report });
    });
  }
  return { spans, logs };
}

/** Enriches every span of the process and queues the sampled ones for each exporter. */
function createSpanProcessor(agent: ExportedAgent, batches: readonly Batch<ReadableSpan>[]): SpanProcessor {
  const enrichment = createEnrichment(agent);
  return {
    onStart: enrichment.atStart,
    onEnd(span) {
      if ((span.spanContext().traceFlags & TraceFlags.SAMPLED) === 0) return;
      enrichment.atEnd(span);
      for (const batch of batches) batch.add(span);
    },
    forceFlush: async () => {
      await Promise.all(batches.map((batch) => batch.drain()));
    },
    shutdown: () => Promise.resolve(),
  };
}

async function createLogEmission(
  resource: Resource,
  batches: readonly Batch<ReadableLogRecord>[],
): Promise<(record: ExportedLog) => void> {
  if (batches.length === 0) return () => {};
  const { createLogEmitter } = await import('./exporter-log.ts');
  return createLogEmitter(resource, (record) => {
    for (const batch of batches) batch.add(record);
  });
}

function isAgent365Wanted(env: Env): boolean {
  const value = setting(env, 'FOUNDRY_AGENT365_TRACING_ENABLED')?.toLowerCase();
  return (value === 'true' || value === '1') && setting(env, 'FOUNDRY_HOSTING_ENVIRONMENT') !== undefined;
}

function withinLimit(work: Promise<unknown>, clock: Clock): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const limit = clock.after(FLUSH_LIMIT_MS, resolve);
  const finish = () => {
    limit.cancel();
    resolve();
  };
  work.then(finish, finish);
  return promise;
}
