/**
 * Every operation there is. The documents are made from the specs alone; the doors get them joined with what performs
 * them.
 */
import type { Clock } from '../core/clock.ts';
import type { Audit } from '../governance/audit/audit.ts';
import type { Governor } from '../governance/governor.ts';
import type { Feed } from '../runs/feed.ts';
import type { TenantScopes } from '../store/tenant-scopes.ts';
import { type A2aAgentParts, createA2aAgentOperations } from './a2a-agent.ts';
import { a2aAgentSpecs } from './a2a-agent-spec.ts';
import { type A2aDelegationParts, createA2aDelegationOperations } from './a2a-delegation.ts';
import { a2aDelegationSpecs } from './a2a-delegation-spec.ts';
import { type A2aMessageParts, createA2aMessageOperations } from './a2a-message.ts';
import { a2aMessageSpecs } from './a2a-message-spec.ts';
import { type AgentParts, createAgentOperations } from './agent.ts';
import { agentSpecs } from './agent-spec.ts';
import { appSpecs, createAppOperations } from './app.ts';
import { type ApprovalParts, createApprovalOperations } from './approval.ts';
import { approvalSpecs } from './approval-spec.ts';
import { auditSpecs, createAuditOperations } from './audit.ts';
import { auditLogSpecs, createAuditLogOperations } from './audit-log.ts';
import { type BudgetOperationParts, createBudgetOperations } from './budget.ts';
import { budgetSpecs } from './budget-spec.ts';
import { createDashboardOperations, type DashboardParts } from './dashboard.ts';
import { dashboardSpecs } from './dashboard-spec.ts';
import { createDeliveryOperations, type DeliveryOperationParts, deliverySpecs } from './delivery.ts';
import { createDocumentOperations, type DocumentParts, documentSpecs } from './document.ts';
import { createFabricOperations, type FabricOperationParts } from './fabric.ts';
import { fabricSpecs } from './fabric-spec.ts';
import { createFeedOperations, feedSpecs } from './feed.ts';
import { createGovernanceOperations, type GovernanceOperationParts } from './governance.ts';
import { governanceSpecs } from './governance-spec.ts';
import { governed } from './governed-operation.ts';
import { createHealthOperations, type Health, healthSpecs } from './health.ts';
import { createJobOperations, type JobParts } from './job.ts';
import { jobSpecs } from './job-spec.ts';
import { createKnowledgeOperations, knowledgeSpecs } from './knowledge.ts';
import { createLimitOperations, type LimitOperationParts, limitSpecs } from './limit.ts';
import { createMcpOperations, mcpSpecs } from './mcp.ts';
import { createMetricOperations, metricSpecs } from './metric.ts';
import type { Operation, OperationSpec } from './operation.ts';
import { createOrchestrationOperations, type OrchestrationParts } from './orchestration.ts';
import { orchestrationSpecs, submitOrchestration } from './orchestration-spec.ts';
import { createPoolOperations, type PoolOperationParts, poolSpecs } from './pool.ts';
import { createQueueOperations, queueSpecs } from './queue-message.ts';
import { createRiskOperations, riskSpecs } from './risk.ts';
import { createRunOperations, type RunParts } from './run.ts';
import { runSpecs } from './run-spec.ts';
import { screened } from './screened-operation.ts';
import { createScreeningOperations, type ScreeningParts, screeningSpecs } from './screening.ts';
import { createSimulationOperations, type SimulationOperationParts, simulationSpecs } from './simulation.ts';
import { createTaskOperations, type TaskOperationParts } from './task.ts';
import { taskSpecs } from './task-spec.ts';

export const operationSpecs: readonly OperationSpec[] = [
  ...orchestrationSpecs,
  ...queueSpecs,
  ...runSpecs,
  ...agentSpecs,
  ...appSpecs,
  ...mcpSpecs,
  ...auditSpecs,
  ...auditLogSpecs,
  ...metricSpecs,
  ...knowledgeSpecs,
  ...riskSpecs,
  ...healthSpecs,
  ...taskSpecs,
  ...poolSpecs,
  ...jobSpecs,
  ...documentSpecs,
  ...approvalSpecs,
  ...deliverySpecs,
  ...governanceSpecs,
  ...limitSpecs,
  ...budgetSpecs,
  ...screeningSpecs,
  ...fabricSpecs,
  ...a2aAgentSpecs,
  ...a2aDelegationSpecs,
  ...a2aMessageSpecs,
  ...simulationSpecs,
  ...dashboardSpecs,
  ...feedSpecs,
];

export type OperationParts = OrchestrationParts &
  AgentParts &
  RunParts &
  TaskOperationParts &
  PoolOperationParts &
  JobParts &
  DocumentParts &
  ApprovalParts &
  DeliveryOperationParts &
  GovernanceOperationParts &
  LimitOperationParts &
  BudgetOperationParts &
  ScreeningParts &
  FabricOperationParts &
  A2aAgentParts &
  A2aDelegationParts &
  A2aMessageParts &
  SimulationOperationParts &
  DashboardParts & {
    /** Judges what changes something. */
    readonly governor: Governor;
    readonly health: Health;
    readonly feed: Feed;
    readonly audit: Audit;
    readonly tenant: TenantScopes;
    readonly clock: Clock;
  };

export function createOperations(parts: OperationParts): readonly Operation[] {
  const orchestrations = createOrchestrationOperations(parts);
  const submit = orchestrations.find(({ spec }) => spec.name === submitOrchestration.name);
  if (submit === undefined) throw new Error('there is no operation that takes a submission');
  const operations = [
    ...orchestrations,
    ...createQueueOperations({ submit }),
    ...createRunOperations(parts),
    ...createAgentOperations(parts),
    ...createAppOperations(parts),
    ...createMcpOperations(),
    ...createAuditOperations(parts),
    ...createAuditLogOperations(parts),
    ...createMetricOperations(parts),
    ...createKnowledgeOperations(parts),
    ...createRiskOperations(parts),
    ...createHealthOperations(parts),
    ...createTaskOperations(parts),
    ...createPoolOperations(parts),
    ...createJobOperations(parts),
    ...createDocumentOperations(parts),
    ...createApprovalOperations(parts),
    ...createDeliveryOperations(parts),
    ...createGovernanceOperations(parts),
    ...createLimitOperations(parts),
    ...createBudgetOperations(parts),
    ...createScreeningOperations(parts),
    ...createFabricOperations(parts),
    ...createA2aAgentOperations(parts),
    ...createA2aDelegationOperations(parts),
    ...createA2aMessageOperations(parts),
    ...createSimulationOperations(parts),
    ...createDashboardOperations(parts),
    ...createFeedOperations(parts),
  ];
  const { governor, dataGuard } = parts;
  return operations.map((operation) => governed(screened(operation, dataGuard), governor));
}
