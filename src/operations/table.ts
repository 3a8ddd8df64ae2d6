/**
 * Every operation there is. The documents are made from the specs alone; the doors get them joined with what performs
 * them.
 */
import { type AgentParts, agentSpecs, createAgentOperations } from './agent.ts';
import { appSpecs, createAppOperations } from './app.ts';
import { createHealthOperations, type HealthParts, healthSpecs } from './health.ts';
import { createMcpOperations, mcpSpecs } from './mcp.ts';
import type { Operation, OperationSpec } from './operation.ts';
import { createOrchestrationOperations, type OrchestrationParts } from './orchestration.ts';
import { orchestrationSpecs } from './orchestration-spec.ts';

export const operationSpecs: readonly OperationSpec[] = [
  ...orchestrationSpecs,
  ...agentSpecs,
  ...appSpecs,
  ...mcpSpecs,
  ...healthSpecs,
];

export type OperationParts = OrchestrationParts & AgentParts & HealthParts;

export function createOperations(parts: OperationParts): readonly Operation[] {
  return [
    ...createOrchestrationOperations(parts),
    ...createAgentOperations(parts),
    ...createAppOperations(parts),
    ...createMcpOperations(),
    ...createHealthOperations(parts),
  ];
}
