/** Refusals by quota in the audit log: the entry `RATE_LIMITED`, at most once a minute for each quota of a tenant. */
import { type Clock, isoTime } from '../../core/clock.ts';
import { asError } from '../../core/errors.ts';
import { type QuotaRefusal, ruleOf } from '../../runs/quota.ts';
import type { Caller } from '../../runs/run.ts';
import type { Database } from '../../store/database.ts';
import type { Log } from '../../telemetry/log.ts';
import type { Audit } from '../audit/audit.ts';

export interface QuotaLedgerParts {
  readonly database: Pick<Database, 'db'>;
  readonly audit: Pick<Audit, 'write'>;
  readonly clock: Clock;
  readonly log: Log;
}

const TELL_MS = 60_000;

/** @returns what takes a refusal once its transaction is over; writing it is nothing that a caller waits for */
export function createQuotaLedger({ database, audit, clock, log }: QuotaLedgerParts) {
  const told = new Map<string, number>();

  /** In all processes together: the row of the quota stands beside those of the rates, which no rate is called like. */
  async function write({ tenantId, userId }: Caller, refusal: QuotaRefusal, now: number): Promise<void> {
    const { quota, limit, used, until } = refusal;
    await database.db.transaction().execute(async (trx) => {
      const { numInsertedOrUpdatedRows: written } = await trx
        .insertInto('rate_buckets')
        .values({ tenant_id: tenantId, key: `quota.${quota}`, full_at: now, told_at: now })
        .onConflict((conflict) =>
          conflict
            .columns(['tenant_id', 'key'])
            .doUpdateSet({ full_at: now, told_at: now })
            .where('rate_buckets.told_at', '<=', now - TELL_MS),
        )
        .executeTakeFirst();
      if (written !== 1n) return;
      await audit.write(trx, {
        tenantId,
        timestamp: isoTime(now),
        action: 'RATE_LIMITED',
        outcome: 'denied',
        reason: ruleOf(refusal),
        actor: { type: 'user', id: userId === '' ? 'anonymous' : userId },
        owner: userId,
        details: { code: 'QUOTA_EXCEEDED', quota, limit, used, ...(until !== null && { until }) },
      });
    });
  }

  return (caller: Caller, refusal: QuotaRefusal): void => {
    const now = clock.now();
    const place = JSON.stringify([caller.tenantId, refusal.quota]);
    if (now - (told.get(place) ?? Number.NEGATIVE_INFINITY) < TELL_MS) return;
    told.set(place, now);
    write(caller, refusal, now).catch((thrown: unknown) => {
      log.warn('a refusal by a quota was not told', { tenant_id: caller.tenantId, reason: asError(thrown).message });
    });
  };
}
