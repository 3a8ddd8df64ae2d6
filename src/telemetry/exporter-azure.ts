/**
 * Exporters for Azure Monitor (Application Insights). Records it cannot deliver are dropped, not kept on disk: they may
 * hold what users wrote, and the operator should hear that they are lost.
 */
import {
  type AzureMonitorExporterOptions,
  AzureMonitorLogExporter,
  AzureMonitorTraceExporter,
} from '@azure/monitor-opentelemetry-exporter';
import { type ExportResult, ExportResultCode } from '@opentelemetry/core';
import type { ReadableLogRecord } from '@opentelemetry/sdk-logs';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-node';
import type { Exporter } from './exporter-destination.ts';
import { foundryAttribute } from './names.ts';

/** Few and quick, so that a batch is given up within the time a flush may take. */
const retryOptions = { maxRetries: 2, retryDelayInMs: 500, maxRetryDelayInMs: 1_000 };

/** @throws when the connection string is not one */
export function createAzureExporters(connectionString: string): {
  spans: Exporter<ReadableSpan>;
  logs: Exporter<ReadableLogRecord>;
} {
  const spans = createDelivery(connectionString, (options) => new AzureMonitorTraceExporter(options));
  return {
    spans: { export: (items, done) => spans.export(items.map(withVeil), done), shutdown: () => spans.shutdown() },
    logs: createDelivery(connectionString, (options) => new AzureMonitorLogExporter(options)),
  };
}

type AdditionalPolicy = NonNullable<AzureMonitorExporterOptions['additionalPolicies']>[number];

/**
 * An exporter that tells the truth: without its disk the package reports records as delivered that it has thrown away.
 * The connection says what really happened, so its last word decides.
 */
function createDelivery<Item>(
  connectionString: string,
  create: (options: AzureMonitorExporterOptions) => Exporter<Item>,
): Exporter<Item> {
  let failure: Error | undefined;
  const delivery: AdditionalPolicy = {
    position: 'perCall',
    policy: {
      name: 'delivery',
      async sendRequest(request, next) {
        failure = undefined;
        if (typeof request.body === 'string') request.body = unveil(request.body);
        try {
          const response = await next(request);
          if (response.status >= 400) failure = new Error(`HTTP ${response.status}`);
          return response;
        } catch (thrown) {
          failure = thrown instanceof Error ? thrown : new Error(String(thrown));
          throw thrown;
        }
      },
    },
  };
  const exporter = create({
    connectionString,
    disableOfflineStorage: true,
    retryOptions,
    additionalPolicies: [delivery],
    ...localIngestion(connectionString),
  });
  const truthful = (result: ExportResult): ExportResult =>
    failure === undefined ? result : { code: ExportResultCode.FAILED, error: failure };
  return {
    export: (items, done) => exporter.export(items, (result) => done(truthful(result))),
    shutdown: () => exporter.shutdown(),
  };
}

/**
 * The package drops attributes whose names begin with `microsoft.`, Foundry's own among them. They pass it under a veil
 * that is taken off when the request leaves.
 */
const VEILED = Object.values(foundryAttribute).filter((name) => name.startsWith('microsoft.'));
const VEIL = '~';

function withVeil(span: ReadableSpan): ReadableSpan {
  const attributes = { ...span.attributes };
  for (const name of VEILED) {
    if (attributes[name] !== undefined) attributes[VEIL + name] = attributes[name];
  }
  return Object.create(span, { attributes: { value: attributes, enumerable: true } }) as ReadableSpan;
}

/** Takes the veil off property names in the JSON text of a request; a quote inside a string is always escaped. */
function unveil(body: string): string {
  return body.replace(/(?<!\\)"~(microsoft\.[a-z.]+":)/g, '"$1');
}

/** The package turns every address into https; an ingestion stand-in on this machine speaks plain http. */
function localIngestion(connectionString: string): AzureMonitorExporterOptions {
  const endpoint = /(?:^|;)\s*IngestionEndpoint=\s*(http:[^;]+)/i.exec(connectionString)?.[1];
  const url = endpoint === undefined ? null : URL.parse(endpoint.trim());
  if (url === null || !['localhost', '127.0.0.1', '[::1]'].includes(url.hostname)) return {};
  return { host: url.origin, allowInsecureConnection: true };
}
