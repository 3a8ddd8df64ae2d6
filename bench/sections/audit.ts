/**
 * What the audit log costs whoever changes something: the same transaction with a fact that is told and with one that is
 * not, one after the other and eight at once; beside them a log that is continued inside the transaction, under the lock
 * of its end. Then how fast the log is continued after the commits, and how fast an export is verified.
 */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { systemClock } from '../../src/core/clock.ts';
import { createAudit } from '../../src/governance/audit/audit.ts';
import { createCheckpointSigner, readVerifierKey } from '../../src/governance/audit/checkpoint.ts';
import { exportPage } from '../../src/governance/audit/export.ts';
import { readLine } from '../../src/governance/audit/export-reading.ts';
import { verifyExport } from '../../src/governance/audit/verification.ts';
import { createFeed } from '../../src/runs/feed.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { startEmbeddedPostgres } from '../../src/store/embedded-postgres.ts';
import { pairedRatio, type Spread, spread } from '../measure/statistics.ts';
import { figure, figures, table } from '../measure/table.ts';
import type { Effort, SectionResult } from '../section.ts';

const log = { debug() {}, info() {}, warn() {}, error() {} };
const tenantId = 'bench';
const AT_ONCE = [1, 8] as const;

interface WriteRow {
  how: string;
  atOnce: number;
  perSecond: Spread;
}

export async function benchAudit(effort: Effort): Promise<SectionResult> {
  const folder = mkdtempSync(join(tmpdir(), 'aos-bench-audit-'));
  const server = await startEmbeddedPostgres({ folder, host: process, clock: systemClock, log });
  const database = await openDatabase({ url: server.url, clock: systemClock, log });
  try {
    const { rows, ratio } = await writes(database, effort);
    const { sealed, verified } = await continuation(database, effort);
    return {
      data: { rows, ratio, sealed, verified },
      aims: [
        {
          what: 'transactions with an audited fact, of those without',
          measured: ratio.median,
          is: 'at least',
          aim: 0.8,
        },
        { what: 'entries the log is continued with per second', measured: sealed.median, is: 'at least', aim: 5000 },
      ],
      text: [
        table(
          'Audit: transactions per second',
          ['transaction', 'at once', 'per second'],
          rows.map(({ how, atOnce, perSecond }) => [how, String(atOnce), figures(perSecond)]),
        ),
        table(
          'Audit: the log',
          ['act', 'entries per second'],
          [
            ['continued after the commits', figures(sealed)],
            ['read and verified from an export', figure(verified)],
          ],
        ),
      ].join('\n'),
    };
  } finally {
    await database.close();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function writes(database: Database, { rounds, windowMs }: Effort) {
  const { db } = database;
  const feed = createFeed({ database, clock: systemClock });
  const data = { task_type: 'agent_run', priority: 'NORMAL', agent_id: 'ceo', status: 'pending', attempt: 1 };
  const write = (type: string) => () =>
    db.transaction().execute((trx) => feed.write(trx, { tenantId, userId: 'ann', type, subject: 't', data }));
  await sql`insert into aos.audit_heads (tenant_id) values ('lock') on conflict do nothing`.execute(db);
  const ways: Record<string, () => Promise<unknown>> = {
    'a fact that is not told': write('task.touched'),
    'a fact that is told': write('task.submitted'),
    'the same, the log continued inside': () =>
      db.transaction().execute(async (trx) => {
        await feed.write(trx, { tenantId, userId: 'ann', type: 'task.submitted', subject: 't', data });
        await sql`update aos.audit_heads set size = size + 1, hash = md5(hash) where tenant_id = 'lock'`.execute(trx);
      }),
  };
  const cells = AT_ONCE.flatMap((atOnce) =>
    Object.entries(ways).map(([how, act]) => ({ how, atOnce, act, samples: [] as number[] })),
  );
  for (let round = 0; round < rounds; round++) {
    for (const { atOnce, act, samples } of cells) samples.push(await throughput(act, atOnce, windowMs));
  }
  const [without, told] = cells.filter(({ atOnce }) => atOnce === 8);
  return {
    rows: cells.map(({ how, atOnce, samples }): WriteRow => ({ how, atOnce, perSecond: spread(samples) })),
    ratio: pairedRatio(told?.samples ?? [], without?.samples ?? []),
  };
}

async function throughput(act: () => Promise<unknown>, atOnce: number, windowMs: number): Promise<number> {
  const start = systemClock.monotonic();
  let done = 0;
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (systemClock.monotonic() - start < windowMs) {
        await act();
        done += 1;
      }
    }),
  );
  return (done * 1000) / (systemClock.monotonic() - start);
}

async function continuation(database: Database, { rounds }: Effort) {
  const { privateKey } = generateKeyPairSync('ed25519');
  const signer = createCheckpointSigner({
    key: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    name: 'bench',
  });
  const audit = createAudit({ database, clock: systemClock, log, signer });
  const count = 4000;
  const samples: number[] = [];
  await audit.seal(tenantId);
  for (let round = 0; round < rounds; round++) {
    await sql`insert into aos.feed (tenant_id, user_id, type, subject, at, data)
      select 'sealed', 'ann', 'task.submitted', 't' || n, now(), '{"status":"pending","attempt":1}'
        from generate_series(1, ${count}::integer) n`.execute(database.db);
    const start = systemClock.monotonic();
    await audit.seal('sealed');
    samples.push((count * 1000) / (systemClock.monotonic() - start));
  }
  const page = await exportPage(audit, 'sealed', { after: 0, limit: count * rounds });
  const start = systemClock.monotonic();
  const verdict = verifyExport(
    page.lines.map((text, index) => readLine(text, index + 1)),
    { key: readVerifierKey(signer.verifierKey) },
  );
  if (verdict.finding !== undefined) throw new Error(verdict.finding.sentence);
  return { sealed: spread(samples), verified: (verdict.entries * 1000) / (systemClock.monotonic() - start) };
}
