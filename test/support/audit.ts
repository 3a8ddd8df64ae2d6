/** An audit log with a key of its own, and the rules that hold between it and what it tells. */
import { generateKeyPairSync } from 'node:crypto';
import { systemClock } from '../../src/core/clock.ts';
import { type Audit, type AuditParts, createAudit } from '../../src/governance/audit/audit.ts';
import { type CheckpointSigner, createCheckpointSigner } from '../../src/governance/audit/checkpoint.ts';
import { type AuditEntry, terminalTaskActions } from '../../src/governance/audit/entry.ts';
import type { Database } from '../../src/store/database.ts';
import { silentLog } from './log.ts';

export function testSigner(name = 'test.example'): CheckpointSigner {
  const { privateKey } = generateKeyPairSync('ed25519');
  return createCheckpointSigner({ key: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(), name });
}

export function createTestAudit(database: Database, parts: Partial<AuditParts> = {}): Audit {
  return createAudit({ database, clock: systemClock, log: silentLog, signer: testSigner(), ...parts });
}

/** The whole log of a tenant, told to its end. */
export async function wholeLog(audit: Audit, tenantId: string): Promise<readonly AuditEntry[]> {
  const { size } = await audit.seal(tenantId);
  return audit.trail.after(tenantId, 0, size);
}

/**
 * What is wrong with the log of a tenant, as sentences: every task of the database has one TASK_SUBMIT and, once it has
 * ended, one terminal entry; every run but those of tasks has its ORCHESTRATION_SUBMIT; every run that has ended is
 * anchored with the end of its own log; every action of a plane has its ROUTE entry.
 */
export async function auditGaps(database: Database, audit: Audit, tenantId: string): Promise<readonly string[]> {
  const log = await wholeLog(audit, tenantId);
  const gaps: string[] = [];
  const expect = (what: string, found: number, wanted: number) => {
    if (found !== wanted) gaps.push(`${what}: ${found} entries, expected ${wanted}`);
  };
  const count = (is: (entry: AuditEntry) => boolean) => log.filter(is).length;

  const tasks = await database.db.selectFrom('tasks').selectAll().where('tenant_id', '=', tenantId).execute();
  for (const { id, status, completed_at: ended, task_type: type } of tasks) {
    const its = log.filter(({ task_id: task }) => task === id);
    const told = (actions: readonly string[]) => its.filter(({ action }) => actions.includes(action)).length;
    expect(`TASK_SUBMIT of ${id}`, told(['TASK_SUBMIT']), 1);
    expect(`terminal entries of ${id} (${status})`, told(terminalTaskActions), ended === null ? 0 : 1);
    if (type === 'fabric_action' && status === 'completed') {
      if (told(['ROUTE_ACTION', 'ROUTE_FALLBACK', 'ROUTE_BLOCKED']) === 0)
        gaps.push(`${id} was routed without an entry`);
    }
  }
  expect(
    'TASK_SUBMIT',
    count(({ action }) => action === 'TASK_SUBMIT'),
    tasks.length,
  );

  const runs = await database.db.selectFrom('runs').selectAll().where('tenant_id', '=', tenantId).execute();
  for (const { id, kind, completed_at: ended, last_event: last, last_hash: hash } of runs) {
    const its = log.filter(({ run_id: run }) => run === id);
    const submits = its.filter(({ action }) => action === 'ORCHESTRATION_SUBMIT').length;
    expect(`ORCHESTRATION_SUBMIT of ${id}`, submits, kind === 'task' ? 0 : 1);
    const anchors = its.filter(({ action }) => action === 'RUN_ANCHOR');
    expect(`RUN_ANCHOR of ${id}`, anchors.length, ended === null ? 0 : 1);
    for (const { details } of anchors) {
      if (details['last_event'] !== last || details['last_hash'] !== hash) gaps.push(`${id} is anchored elsewhere`);
    }
  }
  return gaps;
}
