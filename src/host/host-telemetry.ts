/**
 * Telemetry of one host: makes trace context current in the process, and loads the exporters when, and only when, the
 * environment switches one on (protocol §14.4). Whatever goes wrong here is a warning; requests are served without.
 */
import { asError } from '../core/errors.ts';
import { type Exporters, exportersWanted, setting } from '../telemetry/export.ts';
import { installTraceContext, installTracerProvider, silentTracerProvider } from '../telemetry/tracing.ts';
import type { Environment, HostSettings } from './settings.ts';

export interface HostTelemetry {
  /** Undefined when none is switched on. */
  readonly exporters: Exporters | undefined;
  /** Whether anybody receives spans: an exporter of ours, or an OpenTelemetry set-up the program brought itself. */
  readonly hasReceiver: boolean;
}

export async function startHostTelemetry(
  environment: Environment,
  settings: HostSettings,
  onWarning: (message: string) => void,
): Promise<HostTelemetry> {
  installTraceContext();
  const exporters = await loadExporters(environment, settings, onWarning);
  const isOurs = installTracerProvider(exporters?.tracerProvider ?? silentTracerProvider);
  return { exporters, hasReceiver: exporters !== undefined || !isOurs };
}

async function loadExporters(
  environment: Environment,
  settings: HostSettings,
  onWarning: (message: string) => void,
): Promise<Exporters | undefined> {
  const { otlp, azureMonitor } = exportersWanted(environment);
  if (!otlp && !azureMonitor) return undefined;
  try {
    const { startExporters } = await import('../telemetry/exporters.ts');
    const { agentName, agentVersion, agentId, ...rest } = settings;
    const agent = { ...rest, name: agentName, version: agentVersion, id: agentId };
    return await startExporters({ env: environment, agent, onWarning });
  } catch (thrown) {
    onWarning(`Telemetry could not be set up and is off: ${asError(thrown).message}`);
    return undefined;
  }
}

/** Where spans and logs go, as far as the environment says; for the start-up log. */
export function telemetryTargets(environment: Environment): { otlpEndpoint: string; applicationInsights: boolean } {
  const otlpEndpoint =
    setting(environment, 'OTEL_EXPORTER_OTLP_ENDPOINT') ??
    setting(environment, 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT') ??
    setting(environment, 'OTEL_EXPORTER_OTLP_LOGS_ENDPOINT') ??
    '';
  return { otlpEndpoint, applicationInsights: exportersWanted(environment).azureMonitor };
}
