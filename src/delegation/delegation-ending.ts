/** The ends of delegations: how one is written down, who is told, and that the work on it stops. */
import { sql } from 'kysely';
import type { Clock } from '../core/clock.ts';
import { AosError } from '../core/errors.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';
import type { Database, StoreScope } from '../store/database.ts';
import type { TaskQueue } from '../tasks/task-queue.ts';
import { type Delegation, type DelegationFailure, type DelegationKey, type Effort, isOpen } from './delegation.ts';
import type { DelegationLog } from './delegation-log.ts';
import type { DelegationNews } from './delegation-news.ts';
import { isPartOf, lockDelegation, selectDelegations } from './delegation-store.ts';

export interface DelegationOutcome extends Effort {
  readonly result: JsonValue;
  readonly outputContext: JsonObject | null;
  /** Set: it failed. */
  readonly failure: DelegationFailure | null;
}

export interface Ending extends DelegationOutcome {
  readonly status: 'completed' | 'failed' | 'cancelled' | 'timeout';
  /** ISO-8601 UTC; now when left out. */
  readonly at?: string;
  /** The administrator who ends it, when it is another user's. */
  readonly by?: string | undefined;
}

export interface DelegationEndings {
  /**
   * Ends an open delegation that the transaction has locked.
   * @param said whether whoever ended it has written to the delegator already
   */
  close(trx: StoreScope, before: Delegation, ending: Ending, said?: boolean): Promise<Delegation>;
  /** Ends one, whoever asks, and what it was handed on to. @returns undefined when it has ended already */
  end(key: DelegationKey, ending: Ending): Promise<Delegation | undefined>;
}

export interface DelegationEndingParts {
  readonly database: Pick<Database, 'db'>;
  readonly news: DelegationNews;
  readonly log: DelegationLog;
  readonly queue: Pick<TaskQueue, 'cancel'>;
  readonly clock: Clock;
}

export function createDelegationEndings(parts: DelegationEndingParts): DelegationEndings {
  const { news, log, queue, clock } = parts;
  const { db } = parts.database;

  async function close(trx: StoreScope, before: Delegation, ending: Ending, said = false): Promise<Delegation> {
    const { status, result, outputContext, failure, tokens, costUsd, steps, at, by } = ending;
    await trx
      .updateTable('delegations')
      .set({
        status,
        completed_at: at === undefined ? new Date(clock.now()) : new Date(at),
        result: JSON.stringify(result),
        output_context: outputContext === null ? null : JSON.stringify(outputContext),
        error_code: failure?.code ?? null,
        // PostgreSQL keeps no U+0000 in texts, and models do say it.
        error: failure?.message.replaceAll('\0', '\uFFFD') ?? null,
        tokens_used: tokens,
        cost_usd: costUsd,
        steps_executed: steps,
      })
      .where('tenant_id', '=', before.caller.tenantId)
      .where('id', '=', before.id)
      .execute();
    const after = (await lockDelegation(trx, before)) ?? before;
    await log.tell(trx, {
      delegation: after,
      ...(status === 'cancelled' && { action: 'A2A_CANCEL', outcome: 'cancelled' }),
      by,
      fact: status,
    });
    if (!said) await log.answer(trx, 'ended', after);
    if (before.taskId === null && status !== 'completed' && status !== 'failed') await log.withdraw(trx, after);
    return after;
  }

  async function end(key: DelegationKey, ending: Ending): Promise<Delegation | undefined> {
    const after = await db.transaction().execute(async (trx) => {
      const before = await lockDelegation(trx, key);
      return before === undefined || !isOpen(before.status) ? undefined : close(trx, before, ending);
    });
    if (after === undefined) return undefined;
    news.announce(after);
    await news.wake(after);
    if (ending.status === 'cancelled' || ending.status === 'timeout') await stopWork(after);
    return after;
  }

  /** Whoever does it stops, and so does what was handed on further. What is missed here the watch finds. */
  async function stopWork(delegation: Delegation): Promise<void> {
    const { taskId, caller, failure } = delegation;
    const why = failure?.message ?? 'the delegation has ended';
    if (taskId !== null) {
      await queue.cancel(taskId, why, caller).catch((thrown: unknown) => {
        if (!(thrown instanceof AosError) || thrown.reason !== 'TASK_TERMINAL') throw thrown;
      });
    }
    for (const child of await selectDelegations(db, sql`${isPartOf(delegation)} and d.completed_at is null`)) {
      await end(child, cancelledEnding('what it is a part of has ended'));
    }
  }

  return { close, end };
}

export function cancelledEnding(reason: string): Ending {
  return { ...nothing, status: 'cancelled', failure: { code: 'CANCELLED', message: reason } };
}

/** What becomes of one whose time has passed. */
export function lateEnding({ status, acceptBy, deadlineAt }: Delegation): Ending {
  const message = status === 'pending' ? `nobody accepted it until ${acceptBy}` : `it was not done until ${deadlineAt}`;
  return { ...nothing, status: 'timeout', failure: { code: 'TIMEOUT', message } };
}

const nothing = { result: null, outputContext: null, tokens: null, costUsd: null, steps: null };
