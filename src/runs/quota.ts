/** Quotas of tenants, as the database refuses what would exceed them (`aos.quota_refusal`). */
import { sql } from 'kysely';
import { type Clock, isoTime } from '../core/clock.ts';
import { AosError } from '../core/errors.ts';
import type { StoreScope } from '../store/database.ts';
import type { Caller } from './run.ts';

export interface QuotaRefusal {
  /** A name of the limits document, e.g. `concurrent_runs`. */
  readonly quota: string;
  readonly limit: number;
  readonly used: number;
  /** ISO-8601 UTC: when there is room again; null when that depends on what ends. */
  readonly until: string | null;
}

const WORDS: Readonly<Record<string, string>> = {
  concurrent_runs: 'runs under way',
  queued_tasks: 'tasks in line',
  runs_per_day: 'runs and tasks a day',
  websockets: 'open WebSocket connections',
};

/** Is told of every refusal by a quota; must not throw. */
export type OnQuota = (caller: Caller, refusal: QuotaRefusal) => void;

export function ruleOf({ quota }: Pick<QuotaRefusal, 'quota'>): string {
  return `rate/quota.${quota}`;
}

/** Nobody knows when something ends; asked again sooner than this nothing will have changed. */
const PAUSE_MS = 1_000;

export function quotaExceeded({ quota, limit, used, until }: QuotaRefusal, now: number): AosError {
  const what = WORDS[quota] ?? quota;
  const when = until === null ? 'when some of them have ended' : `after ${until}`;
  return new AosError('rate_limited', `The tenant may have ${limit} ${what} and has them: try again ${when}.`, {
    reason: 'QUOTA_EXCEEDED',
    facts: { rule: ruleOf({ quota }), quota, limit, used },
    retryAfterMs: until === null ? PAUSE_MS : Math.max(PAUSE_MS, Date.parse(until) - now),
  });
}

/**
 * Takes room for a task in the transaction that puts it in line; of one that is there already it takes none.
 * @throws AosError rate_limited (QUOTA_EXCEEDED)
 */
export async function takeTaskRoom(
  within: StoreScope,
  caller: Caller,
  id: string,
  { clock, onQuota = () => {} }: { readonly clock: Clock; readonly onQuota?: OnQuota | undefined },
): Promise<void> {
  const now = clock.now();
  const { rows } = await sql<{ refusal: QuotaRefusal | null }>`
    select aos.quota_refusal(${caller.tenantId}, 'task', ${id}, ${isoTime(now)}) as refusal`.execute(within);
  const refusal = rows[0]?.refusal;
  if (refusal == null) return;
  onQuota(caller, refusal);
  throw quotaExceeded(refusal, now);
}
