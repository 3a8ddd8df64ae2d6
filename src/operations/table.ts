/**
 * Every operation there is. The documents are made from the specs alone; the doors get them joined with what performs
 * them.
 */
import { type AgentParts, agentSpecs, createAgentOperations } from './agent.ts';
import { appSpecs, createAppOperations } from './app.ts';
import { type ApprovalParts, createApprovalOperations } from './approval.ts';
import { approvalSpecs } from './approval-spec.ts';
import { createDeliveryOperations, type DeliveryOperationParts, deliverySpecs } from './delivery.ts';
import { createHealthOperations, type Health, healthSpecs } from './health.ts';
import { createMcpOperations, mcpSpecs } from './mcp.ts';
import type { Operation, OperationSpec } from './operation.ts';
import { createOrchestrationOperations, type OrchestrationParts } from './orchestration.ts';
import { orchestrationSpecs } from './orchestration-spec.ts';
import { createPoolOperations, type PoolOperationParts, poolSpecs } from './pool.ts';
import { createTaskOperations, type TaskOperationParts } from './task.ts';
import { taskSpecs } from './task-spec.ts';

export const operationSpecs: readonly OperationSpec[] = [
  ...orchestrationSpecs,
  ...agentSpecs,
  ...appSpecs,
  ...mcpSpecs,
  ...healthSpecs,
  ...taskSpecs,
  ...poolSpecs,
  ...approvalSpecs,
  ...deliverySpecs,
];

export type OperationParts = OrchestrationParts &
  AgentParts &
  TaskOperationParts &
  PoolOperationParts &
  ApprovalParts &
  DeliveryOperationParts & { readonly health: Health };

export function createOperations(parts: OperationParts): readonly Operation[] {
  return [
    ...createOrchestrationOperations(parts),
    ...createAgentOperations(parts),
    ...createAppOperations(parts),
    ...createMcpOperations(),
    ...createHealthOperations(parts),
    ...createTaskOperations(parts),
    ...createPoolOperations(parts),
    ...createApprovalOperations(parts),
    ...createDeliveryOperations(parts),
  ];
}
