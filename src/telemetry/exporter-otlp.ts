/**
 * Exporters for an OTLP collector, set up from the standard variables; what concerns one signal outranks what concerns
 * all (`OTEL_EXPORTER_OTLP_TRACES_…` before `OTEL_EXPORTER_OTLP_…`). The packages read compression and certificate
 * files from the process's own environment by themselves.
 */
import { parseKeyPairsIntoRecord } from '@opentelemetry/core';
import { TraceExporterMetricsHelper } from '@opentelemetry/otlp-transformer';
import type { LogRecordExporter } from '@opentelemetry/sdk-logs';
import type { SpanExporter } from '@opentelemetry/sdk-trace-node';
import { type Env, setting } from './export.ts';

export type OtlpSignal = 'TRACES' | 'LOGS';

interface OtlpTarget {
  readonly protocol: 'grpc' | 'http/protobuf';
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly timeoutMillis: number;
}

const DEFAULT_TIMEOUT_MS = 10_000;

/** @throws when the endpoint is not usable or the package of the protocol is not installed */
export async function createOtlpSpanExporter(env: Env, onWarning: (message: string) => void): Promise<SpanExporter> {
  const target = otlpTarget(env, 'TRACES', onWarning);
  if (target.protocol === 'grpc') {
    const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-grpc');
    return new OTLPTraceExporter(await grpcConfig(target));
  }
  const [{ OTLPExporterBase }, { convertLegacyHttpOptions, createOtlpHttpExportDelegate }, { createSpanSerializer }] =
    await Promise.all([
      import('@opentelemetry/otlp-exporter-base'),
      import('@opentelemetry/otlp-exporter-base/node-http'),
      import('./exporter-span-encoding.ts'),
    ]);
  const options = convertLegacyHttpOptions(target, 'TRACES', 'v1/traces', { 'Content-Type': 'application/x-protobuf' });
  return new OTLPExporterBase(
    createOtlpHttpExportDelegate(
      options,
      createSpanSerializer(),
      'otlp_http_span_exporter',
      TraceExporterMetricsHelper,
      undefined,
    ),
  );
}

/** @throws as {@link createOtlpSpanExporter} does */
export async function createOtlpLogExporter(
  env: Env,
  onWarning: (message: string) => void,
): Promise<LogRecordExporter> {
  const target = otlpTarget(env, 'LOGS', onWarning);
  if (target.protocol === 'grpc') {
    const { OTLPLogExporter } = await import('@opentelemetry/exporter-logs-otlp-grpc');
    return new OTLPLogExporter(await grpcConfig(target));
  }
  const { OTLPLogExporter } = await import('@opentelemetry/exporter-logs-otlp-proto');
  return new OTLPLogExporter(target);
}

/** The collector as people should see it: scheme, host and port, without path, query or credentials. */
export function otlpDestination(env: Env): string {
  const endpoint = forSignal(env, 'TRACES', 'ENDPOINT') ?? forSignal(env, 'LOGS', 'ENDPOINT') ?? '';
  const url = URL.parse(endpoint.includes('://') ? endpoint : `https://${endpoint}`);
  return url === null ? 'the OTLP collector' : `the OTLP collector at ${url.protocol}//${url.host}`;
}

async function grpcConfig(target: OtlpTarget) {
  const { Metadata } = await import('@grpc/grpc-js');
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(target.headers)) metadata.set(name, value);
  return { url: target.url, metadata, timeoutMillis: target.timeoutMillis };
}

function otlpTarget(env: Env, signal: OtlpSignal, onWarning: (message: string) => void): OtlpTarget {
  const protocol = otlpProtocol(env, signal, onWarning);
  return {
    protocol,
    url: otlpUrl(env, signal, protocol),
    headers: {
      ...parseKeyPairsIntoRecord(setting(env, 'OTEL_EXPORTER_OTLP_HEADERS')),
      ...parseKeyPairsIntoRecord(setting(env, `OTEL_EXPORTER_OTLP_${signal}_HEADERS`)),
    },
    timeoutMillis: timeoutFromEnv(env, signal),
  };
}

function otlpProtocol(env: Env, signal: OtlpSignal, onWarning: (message: string) => void): OtlpTarget['protocol'] {
  const protocol = forSignal(env, signal, 'PROTOCOL')?.toLowerCase();
  if (protocol === 'grpc') return 'grpc';
  if (protocol !== undefined && protocol !== 'http/protobuf') {
    onWarning(`OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf or grpc, not "${protocol}"; http/protobuf is used.`);
  }
  return 'http/protobuf';
}

/** A signal's own endpoint is used as it is; the common one gets the signal's path, except for gRPC, which has none. */
function otlpUrl(env: Env, signal: OtlpSignal, protocol: OtlpTarget['protocol']): string {
  const own = setting(env, `OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`);
  const endpoint = own ?? setting(env, 'OTEL_EXPORTER_OTLP_ENDPOINT') ?? '';
  if (protocol === 'grpc') return endpoint;
  const url = URL.parse(endpoint);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    const variable = own === undefined ? 'OTEL_EXPORTER_OTLP_ENDPOINT' : `OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`;
    throw new Error(`${variable} must be an address such as http://localhost:4318`);
  }
  if (own !== undefined) return url.href;
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/v1/${signal.toLowerCase()}`;
  return url.href;
}

function timeoutFromEnv(env: Env, signal: OtlpSignal): number {
  const timeoutMs = Number(forSignal(env, signal, 'TIMEOUT') ?? DEFAULT_TIMEOUT_MS);
  return timeoutMs > 0 && Number.isFinite(timeoutMs) ? timeoutMs : DEFAULT_TIMEOUT_MS;
}

function forSignal(env: Env, signal: OtlpSignal, what: 'ENDPOINT' | 'PROTOCOL' | 'TIMEOUT'): string | undefined {
  return setting(env, `OTEL_EXPORTER_OTLP_${signal}_${what}`) ?? setting(env, `OTEL_EXPORTER_OTLP_${what}`);
}
