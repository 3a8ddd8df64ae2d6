/**
 * How many WebSocket connections a tenant may have open in all processes together. Each process counts its own, and
 * writes the count down for tenants that have a bound; what a process wrote that is gone counts for a minute yet.
 */
import { sql } from 'kysely';
import { type Clock, isoTime, type Timer } from '../../core/clock.ts';
import { asError } from '../../core/errors.ts';
import { newHexId } from '../../core/ids.ts';
import { type OnQuota, type QuotaRefusal, quotaExceeded } from '../../runs/quota.ts';
import type { Database } from '../../store/database.ts';
import type { Log } from '../../telemetry/log.ts';
import type { LimitBook } from './limit-book.ts';

export interface SocketRoom {
  /**
   * Takes room for a connection.
   * @returns gives it back
   * @throws AosError rate_limited (QUOTA_EXCEEDED)
   */
  enter(tenantId: string): Promise<() => void>;
  start(): void;
  stop(): Promise<void>;
}

export interface SocketRoomParts {
  readonly database: Pick<Database, 'db'>;
  readonly limits: Pick<LimitBook, 'of'>;
  readonly onQuota?: OnQuota;
  readonly clock: Clock;
  readonly log: Log;
}

const VALID_MS = 60_000;
const RENEW_MS = 20_000;

export function createSocketRoom({ database, limits, onQuota = () => {}, clock, log }: SocketRoomParts): SocketRoom {
  const { db } = database;
  const self = newHexId(8);
  const open = new Map<string, number>();
  let renewing: Timer | undefined;

  const isBounded = (tenantId: string) => limits.of(tenantId).document.quotas.websockets !== null;

  /** Writes down how many there are here. @param isNew whether the last of them asks to be let in */
  async function count(tenantId: string, isNew: boolean): Promise<QuotaRefusal | null> {
    const now = clock.now();
    const { rows } = await sql<{ refusal: QuotaRefusal | null }>`
      select aos.count_sockets(${tenantId}, ${self}, ${isoTime(now)}, ${isoTime(now + VALID_MS)},
        ${open.get(tenantId) ?? 0}, ${isNew}) as refusal`.execute(db);
    return rows[0]?.refusal ?? null;
  }

  function note(tenantId: string): void {
    if (!isBounded(tenantId)) return;
    count(tenantId, false).catch((thrown: unknown) =>
      log.warn('open connections could not be counted', { tenant_id: tenantId, reason: asError(thrown).message }),
    );
  }

  function move(tenantId: string, by: 1 | -1): void {
    const now = (open.get(tenantId) ?? 0) + by;
    if (now === 0) open.delete(tenantId);
    else open.set(tenantId, now);
  }

  return {
    async enter(tenantId) {
      move(tenantId, 1);
      const refusal = isBounded(tenantId)
        ? await count(tenantId, true).catch((thrown: unknown) => {
            move(tenantId, -1);
            throw thrown;
          })
        : null;
      if (refusal !== null) {
        move(tenantId, -1);
        onQuota({ tenantId, userId: '' }, refusal);
        throw quotaExceeded(refusal, clock.now());
      }
      let isOpen = true;
      return () => {
        if (!isOpen) return;
        isOpen = false;
        move(tenantId, -1);
        note(tenantId);
      };
    },
    start() {
      renewing = clock.every(RENEW_MS, () => {
        for (const tenantId of open.keys()) note(tenantId);
      });
    },
    async stop() {
      renewing?.cancel();
      await sql`delete from aos.socket_counts where process = ${self}`.execute(db).catch(() => {});
    },
  };
}
