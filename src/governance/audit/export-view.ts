/** Entries in the words of other systems: CloudEvents 1.0, and OCSF API Activity inside it. */
import type { JsonObject } from '../../core/json.ts';
import { originOf } from './checkpoint.ts';
import type { AuditAction, AuditEntry, AuditOutcome } from './entry.ts';

const OCSF_VERSION = '1.3.0';
const API_ACTIVITY = 6003;

export function cloudEventOf(entry: AuditEntry): JsonObject {
  return envelope(entry, `aos.audit.${entry.action.toLowerCase()}`, entry);
}

export function ocsfOf(entry: AuditEntry): JsonObject {
  return envelope(entry, 'aos.audit.ocsf.api_activity', apiActivityOf(entry));
}

function envelope(entry: AuditEntry, type: string, data: JsonObject): JsonObject {
  const subject = entry.task_id ?? entry.run_id ?? entry.job_id;
  return {
    specversion: '1.0',
    id: `${entry.tenant_id}/${entry.seq}`,
    source: `urn:${originOf(entry.tenant_id)}`,
    type,
    time: entry.timestamp,
    datacontenttype: 'application/json',
    ...(subject !== null && { subject }),
    sequence: String(entry.seq),
    data,
  };
}

/** Activities of the class: 1 create, 2 read, 3 update, 4 delete, 99 other. */
const ACTIVITIES: readonly (readonly [RegExp, number])[] = [
  [/_(SUBMIT|SCHEDULE|CREATE|REGISTER|REQUEST)$/, 1],
  [/_(SCAN|QUERY)$/, 2],
  [/_(CANCEL|UNREGISTER)$/, 4],
  [/^(TASK|JOB|APPROVAL|ORCHESTRATION|PRESET|POOL)_/, 3],
];

const STATUS: Readonly<Record<AuditOutcome, readonly [id: number, name: string]>> = {
  success: [1, 'Success'],
  failure: [2, 'Failure'],
  denied: [2, 'Failure'],
  cancelled: [99, 'Cancelled'],
  pending: [99, 'Pending'],
};

function apiActivityOf(entry: AuditEntry): JsonObject {
  const { seq, id, action, timestamp, tenant_id: tenant, actor, outcome, reason, trace_id: trace, ...unmapped } = entry;
  const activity = activityOf(action);
  const [statusId, status] = STATUS[outcome];
  return {
    category_uid: 6,
    class_uid: API_ACTIVITY,
    activity_id: activity,
    type_uid: API_ACTIVITY * 100 + activity,
    time: Date.parse(timestamp),
    severity_id: outcome === 'failure' || outcome === 'denied' ? 3 : 1,
    status_id: statusId,
    status,
    ...(reason !== null && { status_detail: reason }),
    metadata: {
      version: OCSF_VERSION,
      product: { name: 'aos-agent-server' },
      uid: id,
      tenant_uid: tenant,
      sequence: seq,
      ...(trace !== null && { correlation_uid: trace }),
    },
    actor: { user: { uid: actor.id, type: actor.type } },
    api: { operation: action, service: { name: 'aos-agent-server' } },
    src_endpoint: { svc_name: 'aos-agent-server' },
    unmapped,
  };
}

function activityOf(action: AuditAction): number {
  return ACTIVITIES.find(([pattern]) => pattern.test(action))?.[1] ?? 99;
}
