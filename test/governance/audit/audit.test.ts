import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import type { Audit } from '../../../src/governance/audit/audit.ts';
import { judgeSignature, readCheckpoint, readVerifierKey } from '../../../src/governance/audit/checkpoint.ts';
import { LOG_START, sealEntry } from '../../../src/governance/audit/entry.ts';
import { rangeOf, rootOf, verifyConsistency, verifyInclusion } from '../../../src/governance/audit/merkle.ts';
import { referenceOf } from '../../../src/governance/audit/person.ts';
import { createFeed, type Feed } from '../../../src/runs/feed.ts';
import { keyOfRun } from '../../../src/runs/run.ts';
import type { Database } from '../../../src/store/database.ts';
import { createTestAudit, wholeLog } from '../../support/audit.ts';
import { openTestDatabase } from '../../support/database.ts';
import { createTestRuns, type TestRuns, testAdmission } from '../../support/runs.ts';

let database: Database;
let audit: Audit;
let feed: Feed;
let here: TestRuns;

beforeAll(async () => {
  database = await openTestDatabase();
  audit = createTestAudit(database);
  feed = createFeed({ database, clock: systemClock });
  here = createTestRuns(database);
});
afterAll(() => database.close());

const actions = async (tenantId: string) => (await wholeLog(audit, tenantId)).map(({ action }) => action);
const routed = (tenantId: string, more: object = {}) => ({
  tenantId,
  action: 'ROUTE_ACTION' as const,
  outcome: 'success' as const,
  actor: { type: 'agent' as const, id: 'ceo' },
  ...more,
});

describe('the audit log', () => {
  it('has an entry exactly when the transaction that it belongs to was committed', async () => {
    await database.db.transaction().execute((trx) => audit.write(trx, routed('commit', { target_system: 'crm' })));
    const failing = database.db.transaction().execute(async (trx) => {
      await audit.write(trx, routed('commit', { target_system: 'erp' }));
      throw new Error('changed its mind');
    });
    await expect(failing).rejects.toThrow('changed its mind');
    const log = await wholeLog(audit, 'commit');
    expect(log.map(({ target_system: target }) => target)).toEqual(['crm']);
    expect(log[0]).toMatchObject({
      seq: 1,
      event: 'RACI_AUDIT',
      action: 'ROUTE_ACTION',
      tenant_id: 'commit',
      actor: { type: 'agent', id: 'ceo' },
      Primary_Plane_ID: null,
      raci_responsible: 'ActionRouter',
      raci_accountable: 'Security',
      raci_consulted: ['Compliance'],
      raci_informed: ['Audit Log'],
      outcome: 'success',
      simulation: false,
      prev_hash: LOG_START,
    });
  });

  it('links its entries, and numbers them without gaps, however many write at once', async () => {
    const writes = Array.from({ length: 60 }, (_, number) =>
      database.db.transaction().execute((trx) => audit.write(trx, routed('busy', { details: { number } }))),
    );
    const seals = Array.from({ length: 5 }, () => audit.seal('busy'));
    await Promise.all([...writes, ...seals]);
    const log = await wholeLog(audit, 'busy');
    expect(log.map(({ seq }) => seq)).toEqual(Array.from({ length: 60 }, (_, place) => place + 1));
    let previous = LOG_START;
    for (const { hash, ...body } of log) {
      expect(body.prev_hash).toBe(previous);
      expect(sealEntry(body).hash).toBe(hash);
      previous = hash;
    }
    const head = await audit.seal('busy');
    expect(head).toEqual({ size: 60, hash: previous, range: rangeOf(log.map(({ hash }) => hash)) });
  });

  it('tells facts of the feed and events of runs without being asked, and nothing else', async () => {
    const tenantId = 'facts';
    await feed.write(database.db, {
      tenantId,
      userId: 'ann',
      type: 'task.submitted',
      subject: 't1',
      data: { task_type: 'x' },
    });
    await feed.write(database.db, { tenantId, type: 'task.touched', subject: 't1', data: {} });
    await feed.write(database.db, { tenantId, type: 'pool.scaled', subject: 'pool', data: { from: 1, to: 2 } });
    const { run } = await here.runs.admit(testAdmission({ id: 'facts-run', caller: { tenantId, userId: 'ann' } }));
    await here.runs.move(keyOfRun(run), 'running', {});
    await here.runs.move(keyOfRun(run), 'completed', {
      event: { type: 'run.completed', data: { result: { answer: 'no' } } },
    });
    const log = await wholeLog(audit, tenantId);
    expect(log.map(({ action }) => action)).toEqual([
      'TASK_SUBMIT',
      'POOL_SCALE',
      'ORCHESTRATION_SUBMIT',
      'ORCHESTRATION_COMPLETE',
      'RUN_ANCHOR',
    ]);
    const ended = await here.runs.load(keyOfRun(run));
    const [submitted, , queued, , anchor] = log;
    expect(submitted).toMatchObject({ task_id: 't1', task_type: 'x', actor: { type: 'user' } });
    expect(queued).toMatchObject({ run_id: run.id, raci_responsible: 'AOA Runtime', details: { event_seq: 1 } });
    expect(anchor?.details).toMatchObject({ last_event: ended?.lastEvent, status: 'completed' });
    expect(JSON.stringify(log)).not.toContain('answer');
  });

  it('tells nothing of what a transaction took back', async () => {
    const tenantId = 'rollback';
    const failing = database.db.transaction().execute(async (trx) => {
      await feed.write(trx, { tenantId, type: 'task.submitted', subject: 't1', data: {} });
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect(await actions(tenantId)).toEqual([]);
  });

  it('refuses to have anything changed or deleted', async () => {
    await audit.write(database.db, routed('guarded'));
    await audit.checkpoint('guarded');
    await audit.write(database.db, routed('guarded'));
    for (const statement of [
      `update aos.audit_entries set body = '{}' where tenant_id = 'guarded'`,
      `delete from aos.audit_entries where tenant_id = 'guarded'`,
      'truncate aos.audit_entries',
      `delete from aos.audit_facts where tenant_id = 'guarded'`,
      `update aos.audit_facts set data = '{}' where tenant_id = 'guarded'`,
      `delete from aos.audit_checkpoints where tenant_id = 'guarded'`,
      `update aos.audit_heads set size = 0 where tenant_id = 'guarded'`,
      `delete from aos.audit_heads where tenant_id = 'guarded'`,
      `update aos.audit_people set name = 'bob'`,
    ]) {
      await expect(database.pool.query(statement), statement).rejects.toMatchObject({ code: '23001' });
    }
    expect(await wholeLog(audit, 'guarded')).toHaveLength(2);
  });

  it('signs what it is, and proves entries and growth against it', async () => {
    const tenantId = 'signed';
    for (let count = 0; count < 7; count++) await audit.write(database.db, routed(tenantId));
    const older = await audit.checkpoint(tenantId);
    for (let count = 0; count < 6; count++) await audit.write(database.db, routed(tenantId));
    const newer = await audit.checkpoint(tenantId);
    const [before, after] = [readCheckpoint(older.note), readCheckpoint(newer.note)];
    expect([before.size, after.size]).toEqual([7, 13]);
    expect(judgeSignature(after, readVerifierKey(audit.verifierKey ?? ''))).toBe('good');
    const log = await wholeLog(audit, tenantId);
    expect(after.root).toBe(rootOf(rangeOf(log.map(({ hash }) => hash))));
    const inclusion = await audit.trail.proveInclusion(tenantId, 3, 13);
    expect(verifyInclusion(log[2]?.hash ?? '', 2, 13, inclusion.proof, after.root)).toBe(true);
    const growth = await audit.trail.proveConsistency(tenantId, 7, 13);
    expect(verifyConsistency([7, before.root], [13, after.root], growth.proof)).toBe(true);
    expect(await audit.trail.rangeAt(tenantId, 10)).toEqual({
      range: rangeOf(log.slice(0, 10).map(({ hash }) => hash)),
      hash: log[9]?.hash,
    });
  });

  it('forgets a person without a change to any entry', async () => {
    const tenantId = 'forget';
    const decided = (name: string) =>
      audit.write(database.db, {
        tenantId,
        action: 'APPROVAL_APPROVE',
        outcome: 'success',
        actor: { type: 'user', id: name },
        people: { decided_by: [name] },
        owner: name,
      });
    await decided('ann@example.com');
    await decided('bob@example.com');
    const before = await wholeLog(audit, tenantId);
    const ann = before[0]?.actor.id ?? '';
    expect(before[0]?.details).toEqual({ decided_by: [ann] });
    expect(JSON.stringify(before)).not.toContain('example.com');
    const [known] = await audit.people(tenantId, [ann]);
    expect(known).toMatchObject({ name: 'ann@example.com' });
    expect(referenceOf(tenantId, known?.name ?? '', known?.salt ?? '')).toBe(ann);

    // Of her there is also something that was not told yet.
    await decided('ann@example.com');
    expect(await audit.forget(tenantId, 'ann@example.com')).toBe(true);
    expect(await audit.forget(tenantId, 'ann@example.com')).toBe(false);
    const after = await wholeLog(audit, tenantId);
    expect(after.slice(0, 2)).toEqual(before);
    expect(await audit.people(tenantId, [ann])).toEqual([]);
    const kept = await database.pool.query(
      `select json_agg(e)::text || (select json_agg(p)::text from aos.audit_people p where tenant_id = $1) ||
         (select count(*) from aos.audit_facts where tenant_id = $1) as text
         from aos.audit_entries e where tenant_id = $1`,
      [tenantId],
    );
    expect(kept.rows[0]?.text).toContain('bob@example.com');
    expect(kept.rows[0]?.text).not.toContain('ann@example.com');

    // Should she come back, she is somebody else.
    await decided('ann@example.com');
    expect((await wholeLog(audit, tenantId)).at(-1)?.actor.id).not.toBe(ann);
  });

  it('continues and signs by itself, and once more when it stops', async () => {
    const other = createTestAudit(database);
    await other.start();
    await other.write(database.db, routed('background'));
    await other.stop();
    expect(await other.trail.newestCheckpoint('background')).toMatchObject({ size: 1 });
  });
});
