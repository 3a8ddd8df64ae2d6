/**
 * An entry of the audit log, as it is stored, shown, exported and hashed.
 *
 * hash = sha256(0x00 ‖ canonical JSON of all other members), which is the hash of its leaf in the Merkle tree;
 * `prev_hash` is the hash of the entry before, 64 zeros for the first.
 */
import { canonicalJson, type JsonObject } from '../../core/json.ts';
import { leafHash } from './merkle.ts';

export const LOG_START = '0'.repeat(64);

/** Those of the reference, and after the line our own. */
export const auditActions = [
  'TASK_SUBMIT',
  'TASK_ASSIGN',
  'TASK_START',
  'TASK_COMPLETE',
  'TASK_FAIL',
  'TASK_RETRY',
  'TASK_DEAD',
  'TASK_TIMEOUT',
  'TASK_CANCEL',
  'JOB_SCHEDULE',
  'JOB_UPDATE',
  'JOB_RUN',
  'JOB_MISSED',
  'JOB_PAUSE',
  'JOB_RESUME',
  'JOB_CANCEL',
  'JOB_COMPLETE',
  'JOB_FAIL',
  'ROUTE_ACTION',
  'ROUTE_FALLBACK',
  'ROUTE_BLOCKED',
  'PRESET_CHANGE',
  'PLANE_HEALTH',
  'A2A_EXECUTE',
  'A2A_DELEGATE',
  'A2A_DELEGATE_ACCEPT',
  'A2A_DELEGATE_REJECT',
  'A2A_CONTEXT_SHARE',
  'A2A_STATUS_QUERY',
  'A2A_CANCEL',
  'AGENT_REGISTER',
  'AGENT_UNREGISTER',
  'PII_SCAN',
  'PII_BLOCK',
  'PII_REDACT',
  'PII_WARN',
  'APPROVAL_REQUEST',
  'APPROVAL_APPROVE',
  'APPROVAL_REJECT',
  'APPROVAL_ESCALATE',
  'APPROVAL_TIMEOUT',
  'ORCHESTRATION_SUBMIT',
  'ORCHESTRATION_START',
  'ORCHESTRATION_COMPLETE',
  'ORCHESTRATION_FAIL',
  'ORCHESTRATION_CANCEL',
  'ORCHESTRATION_STOP',
  'TOOL_CALL',
  'POOL_SCALE',
  'AUTH_FAIL',
  'RATE_LIMITED',
  'TENANT_CREATE',
  // ---
  'ORCHESTRATION_CANCEL_REQUEST',
  'JOB_TRIGGER',
  'JOB_SKIP',
  'APPROVAL_VOTE',
  'APPROVAL_CANCEL',
  'ROUTE_WAITING',
  'ROUTE_UNKNOWN',
  'ROUTE_SETTLED',
  'ROUTE_CHANGE',
  'POLICY_DECISION',
  'BUDGET_BREACH',
  'BUDGET_SET',
  'BUDGET_REMOVE',
  'BUDGET_TOP_UP',
  'BUDGET_WARNING',
  'EGRESS_BLOCKED',
  /** Somebody said what became of an effect of a run whose outcome was unknown. */
  'OUTCOME_SETTLED',
  /** Nobody can tell any more who a reference of the log stands for. */
  'PERSON_FORGOTTEN',
  /** Binds the log of a run that has ended: `details` has its last number and hash. */
  'RUN_ANCHOR',
] as const;
export type AuditAction = (typeof auditActions)[number];

/** The entries of which every task has exactly one in the end. */
export const terminalTaskActions = ['TASK_COMPLETE', 'TASK_FAIL', 'TASK_DEAD', 'TASK_TIMEOUT', 'TASK_CANCEL'] as const;

export type AuditOutcome = 'success' | 'failure' | 'denied' | 'cancelled' | 'pending';

/** `id` of a user is a reference (see `person.ts`), or `anonymous`. */
export type Actor = { type: 'user' | 'agent' | 'run' | 'job' | 'task' | 'system'; id: string };

/** Who answers for an action: names of roles, parts or people's roles, never people. */
export interface Responsibility {
  readonly responsible: string;
  readonly accountable: string;
  readonly consulted: readonly string[];
  readonly informed: readonly string[];
}

/** What an entry says apart from its place in the log. */
export type EntryWords = {
  action: AuditAction;
  /** ISO-8601 UTC. */
  timestamp: string;
  actor: Actor;
  Primary_Plane_ID: string | null;
  fabric_preset: string | null;
  task_id: string | null;
  task_type: string | null;
  agent_id: string | null;
  job_id: string | null;
  run_id: string | null;
  message_id: string | null;
  target_system: string | null;
  action_type: string | null;
  from_agent: string | null;
  to_agent: string | null;
  raci_responsible: string;
  raci_accountable: string;
  raci_consulted: string[];
  raci_informed: string[];
  outcome: AuditOutcome;
  /** A rule's or a state's word, never what people wrote. */
  reason: string | null;
  simulation: boolean;
  trace_id: string | null;
  details: JsonObject;
};

/** All that is hashed. */
export type EntryBody = { seq: number; id: string; event: 'RACI_AUDIT'; tenant_id: string } & EntryWords & {
    prev_hash: string;
  };

export type AuditEntry = EntryBody & { hash: string };

/** @returns the body as it is hashed and stored, with its hash */
export function sealEntry(body: EntryBody): { text: string; hash: string } {
  const text = canonicalJson(body);
  return { text, hash: leafHash(text) };
}
