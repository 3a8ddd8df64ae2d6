/**
 * What every span of the process gets besides what its author wrote, so that Foundry finds it (protocol §14.3). The ids
 * of the agent are written last and win over what agent frameworks put there under the same names.
 *
 * Attributes are written into the span's own record rather than through `setAttribute`: at the end of a span that is
 * the only way left, and everywhere it keeps them clear of the attribute count limit, which a talkative framework can
 * use up before we come.
 */
import { type Attributes, type Context, propagation } from '@opentelemetry/api';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-node';
import type { ExportedAgent } from './export.ts';
import { baggageKey, foundryAttribute, genAi } from './names.ts';

export interface Enrichment {
  atStart(span: ReadableSpan, context: Context): void;
  atEnd(span: ReadableSpan): void;
}

export function createEnrichment(agent: ExportedAgent): Enrichment {
  const agentEntries = Object.entries(agentAttributes(agent));
  const { projectArmId } = agent;
  return {
    atStart(span, context) {
      const { attributes } = span;
      if (projectArmId !== '') attributes[foundryAttribute.projectId] = projectArmId;
      const baggage = propagation.getBaggage(context);
      if (baggage === undefined) return;
      const sessionId = baggage.getEntry(baggageKey.sessionId)?.value;
      if (sessionId) attributes[foundryAttribute.sessionId] = sessionId;
      const conversationId = baggage.getEntry(baggageKey.conversationId)?.value;
      if (conversationId) attributes[genAi.conversationId] = conversationId;
    },
    atEnd(span) {
      for (const [name, value] of agentEntries) span.attributes[name] = value;
    },
  };
}

/** The attributes that say which agent this is; those we know nothing of are left to the span's author. */
function agentAttributes(agent: ExportedAgent): Record<string, string> {
  const nameAndVersion = agent.name !== '' && agent.version !== '' ? `${agent.name}:${agent.version}` : agent.name;
  const known: Attributes = {
    [genAi.agentName]: agent.name,
    [genAi.agentVersion]: agent.version,
    [genAi.agentId]: agent.instanceClientId || nameAndVersion,
    [foundryAttribute.blueprintId]: agent.blueprintClientId,
    [foundryAttribute.tenantId]: agent.tenantId,
  };
  return Object.fromEntries(Object.entries(known).filter(([, value]) => value !== '')) as Record<string, string>;
}
