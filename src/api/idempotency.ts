/**
 * `Idempotency-Key`: the first answer to a POST is kept for a day under its key, per tenant, user and route, and given
 * again to whoever repeats the call. A server's own failure is not kept: repeating is how one gets past it.
 */
import { createHash } from 'node:crypto';
import type { Clock } from '../core/clock.ts';
import { AosError } from '../core/errors.ts';
import type { Caller } from '../runs/run.ts';
import type { Database } from '../store/database.ts';

const KEEP_MS = 24 * 3600 * 1000;
/** A call that has not answered after this long has died with its process: the next may try again. */
const UNDER_WAY_MS = 60_000;
const KEY = /^[\x21-\x7e]{1,255}$/;

export interface KeptAnswer {
  readonly status: number;
  readonly location: string | null;
  /** JSON text; '' for none. */
  readonly body: string;
}

export interface KeyedCall {
  readonly caller: Caller;
  readonly key: string;
  /** The template of the route, e.g. `POST /api/v1/aoa/tasks`. */
  readonly route: string;
  /** The path and the body as they came. */
  readonly request: string;
}

export interface Idempotency {
  /**
   * The kept answer, or `perform`'s, which is then kept.
   * @throws AosError unsupported (the key was used for another request), conflict (the first call is still under way)
   */
  once(call: KeyedCall, perform: () => Promise<KeptAnswer>): Promise<KeptAnswer & { readonly replayed: boolean }>;
  /** Forgets what is older than a day. */
  sweep(): Promise<void>;
}

export function createIdempotency({
  database,
  clock,
}: {
  database: Pick<Database, 'db' | 'tenant'>;
  clock: Clock;
}): Idempotency {
  const { db, tenant } = database;
  const scopeOf = ({ caller }: KeyedCall) => tenant(caller.tenantId);
  const rowOf = ({ caller, route, key }: KeyedCall) => ({
    tenant_id: caller.tenantId,
    user_id: caller.userId,
    route,
    key,
  });

  /** Takes the key; undefined: it is ours to answer. */
  async function claim(call: KeyedCall, requestHash: string) {
    const now = clock.now();
    const taken = await scopeOf(call)
      .insertInto('idempotent_answers')
      .values({ ...rowOf(call), request_hash: requestHash, created_at: new Date(now) })
      .onConflict((conflict) =>
        conflict
          .columns(['tenant_id', 'user_id', 'route', 'key'])
          .doUpdateSet({
            request_hash: requestHash,
            created_at: new Date(now),
            status: null,
            location: null,
            body: null,
          })
          .where(({ and, eb, or }) =>
            or([
              eb('idempotent_answers.created_at', '<', new Date(now - KEEP_MS)),
              and([
                eb('idempotent_answers.status', 'is', null),
                eb('idempotent_answers.created_at', '<', new Date(now - UNDER_WAY_MS)),
              ]),
            ]),
          ),
      )
      .returning('key')
      .executeTakeFirst();
    if (taken !== undefined) return undefined;
    return ofCall(scopeOf(call).selectFrom('idempotent_answers').selectAll(), call).executeTakeFirst();
  }

  function ofCall<Query extends { where(column: never, operator: '=', value: string): Query }>(
    query: Query,
    call: KeyedCall,
  ): Query {
    return Object.entries(rowOf(call)).reduce(
      (rest, [column, value]) => rest.where(column as never, '=', value),
      query,
    );
  }

  return {
    async once(call, perform) {
      if (!KEY.test(call.key)) {
        throw new AosError('invalid_request', 'Idempotency-Key must be 1 to 255 visible ASCII characters');
      }
      const requestHash = createHash('sha256').update(call.request).digest('hex');
      const kept = await claim(call, requestHash);
      if (kept !== undefined) {
        if (kept.request_hash !== requestHash) {
          throw new AosError('unsupported', 'this Idempotency-Key was used for another request: use a new one', {
            reason: 'IDEMPOTENCY_KEY_REUSED',
          });
        }
        if (kept.status === null) {
          throw new AosError(
            'conflict',
            'the first call with this Idempotency-Key is still under way: ask again soon',
            {
              reason: 'IDEMPOTENCY_IN_PROGRESS',
              retry: 'later',
            },
          );
        }
        return { status: kept.status, location: kept.location, body: kept.body ?? '', replayed: true };
      }
      try {
        const answer = await perform();
        if (answer.status >= 500) await ofCall(scopeOf(call).deleteFrom('idempotent_answers'), call).execute();
        else
          await ofCall(
            scopeOf(call)
              .updateTable('idempotent_answers')
              .set({ ...answer }),
            call,
          ).execute();
        return { ...answer, replayed: false };
      } catch (failure) {
        await ofCall(scopeOf(call).deleteFrom('idempotent_answers'), call).execute();
        throw failure;
      }
    },
    async sweep() {
      await db
        .deleteFrom('idempotent_answers')
        .where('created_at', '<', new Date(clock.now() - KEEP_MS))
        .execute();
    },
  };
}
