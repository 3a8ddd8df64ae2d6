/** What delegatees say of what they were handed: that they take it or not, that they are at it, what came of it. */
import type { Clock } from '../core/clock.ts';
import { AosError } from '../core/errors.ts';
import type { Caller } from '../runs/run.ts';
import type { Database, StoreScope } from '../store/database.ts';
import { type Delegation, type DelegationFailure, isOpen } from './delegation.ts';
import { type DelegationEndings, type DelegationOutcome, lateEnding } from './delegation-ending.ts';
import { endedDelegation, notNow, unknownDelegation } from './delegation-fault.ts';
import type { DelegationLog } from './delegation-log.ts';
import type { DelegationNews } from './delegation-news.ts';
import type { DelegationParties } from './delegation-party.ts';
import { lockDelegation } from './delegation-store.ts';
import type { Letter, Mail } from './mail.ts';

/** Which delegation is meant, and who says something about it on whose behalf. */
export interface DelegateeWord {
  readonly caller: Caller;
  readonly id: string;
  /** The delegatee. */
  readonly agent: string;
  /** The letter that says it, if it came as one. */
  readonly letter?: { readonly letter: Letter; readonly requestHash: string } | undefined;
}

export interface DelegateeWords {
  /** @throws AosError not_found; conflict (DELEGATION_TERMINAL, DELEGATION_TIMEOUT) */
  accept(word: DelegateeWord): Promise<Delegation>;
  reject(word: DelegateeWord, failure: DelegationFailure): Promise<Delegation>;
  /** The delegatee is at work. */
  begin(word: DelegateeWord): Promise<Delegation>;
  complete(word: DelegateeWord, outcome: DelegationOutcome): Promise<Delegation>;
}

export interface DelegateeWordParts {
  readonly database: Pick<Database, 'tenant'>;
  readonly parties: DelegationParties;
  readonly endings: DelegationEndings;
  readonly mail: Mail;
  readonly news: DelegationNews;
  readonly log: DelegationLog;
  readonly clock: Clock;
}

export function createDelegateeWords(parts: DelegateeWordParts): DelegateeWords {
  const { parties, endings, mail, news, log, clock } = parts;
  const { tenant } = parts.database;

  /** Locks a delegation for a word of its delegatee, and changes it; one whose time has passed is ended instead. */
  async function hear(
    word: DelegateeWord,
    change: (delegation: Delegation, trx: StoreScope) => Promise<void>,
  ): Promise<Delegation> {
    const { caller, id, agent, letter } = word;
    const isSpeaker = await parties.isTheirs(caller, agent);
    const heard = await tenant(caller.tenantId)
      .transaction()
      .execute(async (trx) => {
        const delegation = await lockDelegation(trx, word);
        if (delegation?.to !== agent || !isSpeaker) {
          throw unknownDelegation(id);
        }
        if (!isOpen(delegation.status)) throw endedDelegation(delegation);
        const until = delegation.status === 'pending' ? delegation.acceptBy : delegation.deadlineAt;
        if (Date.parse(until) <= clock.now()) {
          return { after: await endings.close(trx, delegation, lateEnding(delegation)), isLate: true };
        }
        if (letter !== undefined) await mail.post(trx, letter.letter, letter.requestHash);
        await change(delegation, trx);
        return { after: (await lockDelegation(trx, word)) ?? delegation, isLate: false };
      });
    news.announce(heard.after);
    await news.wake(heard.after);
    if (!heard.isLate) return heard.after;
    throw new AosError('conflict', `The time of delegation ${id} has passed`, {
      reason: 'DELEGATION_TIMEOUT',
      facts: { status: heard.after.status },
    });
  }

  return {
    accept: (word) =>
      hear(word, async (delegation, trx) => {
        if (delegation.status !== 'pending') return;
        await trx
          .updateTable('delegations')
          .set({ status: 'accepted', accepted_at: new Date(clock.now()) })
          .where('tenant_id', '=', word.caller.tenantId)
          .where('id', '=', word.id)
          .execute();
        const after = { ...delegation, status: 'accepted' as const };
        await log.tell(trx, { delegation: after, action: 'A2A_DELEGATE_ACCEPT', fact: 'accepted' });
        if (word.letter === undefined) await log.answer(trx, 'accepted', after);
      }),
    reject: (word, failure) =>
      hear(word, async (delegation, trx) => {
        if (delegation.status !== 'pending') throw notNow(delegation, 'rejected');
        await trx
          .updateTable('delegations')
          .set({
            status: 'rejected',
            completed_at: new Date(clock.now()),
            error_code: failure.code,
            error: failure.message,
          })
          .where('tenant_id', '=', word.caller.tenantId)
          .where('id', '=', word.id)
          .execute();
        const after = { ...delegation, status: 'rejected' as const, failure };
        await log.tell(trx, { delegation: after, action: 'A2A_DELEGATE_REJECT', outcome: 'denied', fact: 'rejected' });
        if (word.letter === undefined) await log.answer(trx, 'rejected', after);
      }),
    begin: (word) =>
      hear(word, async (delegation, trx) => {
        if (delegation.status === 'pending') throw notNow(delegation, 'begun');
        await trx
          .updateTable('delegations')
          .set({ status: 'in_progress' })
          .where('tenant_id', '=', word.caller.tenantId)
          .where('id', '=', word.id)
          .execute();
        await log.tell(trx, { delegation: { ...delegation, status: 'in_progress' }, fact: 'in_progress' });
      }),
    complete: (word, outcome) =>
      hear(word, async (delegation, trx) => {
        if (delegation.status === 'pending') throw notNow(delegation, 'completed');
        const status = outcome.failure === null ? 'completed' : 'failed';
        await endings.close(trx, delegation, { ...outcome, status }, word.letter !== undefined);
      }),
  };
}
