/**
 * The tables as kysely sees them, and the steps that made them: one file of `tables/` per area, put together here.
 * Everything lives in the PostgreSQL schema `aos`.
 */
import type { Migration } from './migration.ts';
import {
  appMigrations,
  type IdempotentAnswerTable,
  type MetricPointTable,
  type RecordTable,
  type RunCallbackTable,
} from './tables/app.ts';
import { type ApprovalTable, approvalMigrations } from './tables/approval.ts';
import {
  type AuditCheckpointTable,
  type AuditEntryTable,
  type AuditFactTable,
  type AuditHeadTable,
  type AuditPersonTable,
  auditMigrations,
} from './tables/audit.ts';
import {
  type BudgetAccountTable,
  type BudgetChangeTable,
  type BudgetReservationTable,
  type BudgetTable,
  type BudgetWaitTable,
  budgetMigrations,
} from './tables/budget.ts';
import { type DefinitionTable, definitionMigrations } from './tables/definition.ts';
import {
  type AgentCardTable,
  type AgentInboxTable,
  type AgentMessageTable,
  type DelegationTable,
  delegationMigrations,
  type SharedContextTable,
} from './tables/delegation.ts';
import {
  type FabricActionTable,
  type FabricContextTable,
  type FabricDrillTable,
  type FabricPlaneTable,
  type FabricRouteTable,
  fabricMigrations,
} from './tables/fabric.ts';
import {
  type GovernanceDecisionTable,
  type GovernanceDocumentTable,
  governanceMigrations,
} from './tables/governance.ts';
import { type JobRunTable, type JobTable, jobMigrations } from './tables/job.ts';
import { limitMigrations, type RateBucketTable } from './tables/limit.ts';
import { type OutboxTable, outboxMigrations } from './tables/outbox.ts';
import {
  type FeedTable,
  type RunEventTable,
  type RunPayloadTable,
  type RunSignalTable,
  type RunStepTable,
  type RunTable,
  runMigrations,
} from './tables/run.ts';
import { screeningMigrations } from './tables/screening.ts';
import { type SessionDocumentTable, type SessionMessageTable, sessionMigrations } from './tables/session.ts';
import { type DatabaseModeTable, type SimulationRecordingTable, simulationMigrations } from './tables/simulation.ts';
import {
  type TaskLimitTable,
  type TaskSettingsTable,
  type TaskTable,
  type TaskTurnTable,
  taskMigrations,
} from './tables/task.ts';
import { tenancyMigrations } from './tables/tenancy.ts';

export interface Schema {
  runs: RunTable;
  run_events: RunEventTable;
  run_steps: RunStepTable;
  run_signals: RunSignalTable;
  run_payloads: RunPayloadTable;
  feed: FeedTable;
  session_messages: SessionMessageTable;
  session_documents: SessionDocumentTable;
  tasks: TaskTable;
  task_turns: TaskTurnTable;
  task_limits: TaskLimitTable;
  task_settings: TaskSettingsTable;
  jobs: JobTable;
  job_runs: JobRunTable;
  definitions: DefinitionTable;
  records: RecordTable;
  metric_points: MetricPointTable;
  idempotent_answers: IdempotentAnswerTable;
  run_callbacks: RunCallbackTable;
  approvals: ApprovalTable;
  outbox: OutboxTable;
  governance_documents: GovernanceDocumentTable;
  governance_decisions: GovernanceDecisionTable;
  fabric_context: FabricContextTable;
  fabric_routes: FabricRouteTable;
  fabric_planes: FabricPlaneTable;
  fabric_drills: FabricDrillTable;
  fabric_actions: FabricActionTable;
  rate_buckets: RateBucketTable;
  audit_facts: AuditFactTable;
  audit_heads: AuditHeadTable;
  audit_entries: AuditEntryTable;
  audit_checkpoints: AuditCheckpointTable;
  audit_people: AuditPersonTable;
  agent_cards: AgentCardTable;
  agent_inboxes: AgentInboxTable;
  agent_messages: AgentMessageTable;
  delegations: DelegationTable;
  shared_contexts: SharedContextTable;
  budgets: BudgetTable;
  budget_accounts: BudgetAccountTable;
  budget_reservations: BudgetReservationTable;
  budget_waits: BudgetWaitTable;
  budget_changes: BudgetChangeTable;
  simulation_recordings: SimulationRecordingTable;
  database_mode: DatabaseModeTable;
}

/** Applied in the order of their names, each once. */
export const migrations: readonly Migration[] = [
  ...runMigrations,
  ...sessionMigrations,
  ...taskMigrations,
  ...jobMigrations,
  ...approvalMigrations,
  ...outboxMigrations,
  ...governanceMigrations,
  ...definitionMigrations,
  ...appMigrations,
  ...fabricMigrations,
  ...auditMigrations,
  ...limitMigrations,
  ...simulationMigrations,
  ...screeningMigrations,
  ...tenancyMigrations,
  ...delegationMigrations,
  ...budgetMigrations,
].toSorted((one, other) => (one.name < other.name ? -1 : 1));
