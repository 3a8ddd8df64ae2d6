/** Who the telemetry is from. */
import { defaultResource, type Resource, resourceFromAttributes } from '@opentelemetry/resources';
import { type Env, setting } from './export.ts';
import { hostAttribute, hostValue } from './names.ts';

/** `service.name` is the agent's, whatever `OTEL_SERVICE_NAME` says; `OTEL_RESOURCE_ATTRIBUTES` may add to it. */
export function createResource(env: Env, agentName: string): Resource {
  const extra: Record<string, string> = {};
  for (const pair of (setting(env, 'OTEL_RESOURCE_ATTRIBUTES') ?? '').split(',')) {
    const [, name, value] = /^\s*([^=]+?)\s*=\s*(.*?)\s*$/.exec(pair) ?? [];
    if (name !== undefined && value !== undefined) extra[name] = decodePercent(value);
  }
  const serviceName = agentName || hostValue.unnamedService;
  return defaultResource().merge(resourceFromAttributes({ ...extra, [hostAttribute.serviceName]: serviceName }));
}

function decodePercent(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
