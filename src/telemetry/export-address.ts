/** Where telemetry goes: the addresses of the collectors that the environment names, for whoever guards what leaves. */
import { type Env, exportersWanted, otlpSignalWanted, setting } from './export.ts';

/** Application Insights redirects between its regions, and its client says on the side that it is in use. */
const APPLICATION_INSIGHTS = [
  'https://*.applicationinsights.azure.com',
  'https://*.services.visualstudio.com',
  'https://*.monitor.azure.com',
  'http://169.254.169.254',
];

/** URLs; `*.` at the beginning of a host stands for any labels. Empty when nothing is exported. */
export function exportAddresses(env: Env): readonly string[] {
  const wanted = exportersWanted(env);
  const otlp = (['TRACES', 'LOGS'] as const).flatMap((signal) => {
    if (!wanted.otlp || !otlpSignalWanted(env, signal)) return [];
    return setting(env, `OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`) ?? setting(env, 'OTEL_EXPORTER_OTLP_ENDPOINT') ?? [];
  });
  if (!wanted.azureMonitor) return otlp;
  const connection = setting(env, 'APPLICATIONINSIGHTS_CONNECTION_STRING') ?? '';
  const named = [...connection.matchAll(/(?:^|;)\s*\w+Endpoint=\s*(https?:[^;]+)/gi)].map(([, url = '']) => url.trim());
  return [...otlp, ...named, ...APPLICATION_INSIGHTS];
}
