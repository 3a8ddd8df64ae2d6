import { describe, expect, it } from 'vitest';
import { exportersWanted, otlpSignalWanted } from '../../src/telemetry/export.ts';

const collector = 'http://localhost:4318';
const connection = 'InstrumentationKey=00000000-0000-0000-0000-000000000000';

describe('exportersWanted', () => {
  it.each([
    [{}, false, false],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: '' }, false, false],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: '  ' }, false, false],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: collector }, true, false],
    [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${collector}/v1/traces` }, true, false],
    [{ OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: `${collector}/v1/logs` }, true, false],
    [{ OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: `${collector}/v1/metrics` }, false, false],
    [{ OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, false, false],
    [{ APPLICATIONINSIGHTS_CONNECTION_STRING: connection }, false, true],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: collector, APPLICATIONINSIGHTS_CONNECTION_STRING: connection }, true, true],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: collector, OTEL_TRACES_EXPORTER: 'none' }, true, false],
    [
      { OTEL_EXPORTER_OTLP_ENDPOINT: collector, OTEL_TRACES_EXPORTER: 'none', OTEL_LOGS_EXPORTER: 'none' },
      false,
      false,
    ],
    [
      {
        OTEL_SDK_DISABLED: 'true',
        OTEL_EXPORTER_OTLP_ENDPOINT: collector,
        APPLICATIONINSIGHTS_CONNECTION_STRING: connection,
      },
      false,
      false,
    ],
  ])('reads %j as otlp %s, Azure Monitor %s', (env, otlp, azureMonitor) => {
    expect(exportersWanted(env)).toEqual({ otlp, azureMonitor });
  });

  it("keeps a signal off when only the other signal's endpoint is set", () => {
    const env = { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: collector };
    expect(otlpSignalWanted(env, 'TRACES')).toBe(true);
    expect(otlpSignalWanted(env, 'LOGS')).toBe(false);
  });
});
