/**
 * The memory of a conversation: the messages of one session of one user, in the database, so that it outlives the
 * process. Messages are only ever added, once per run and role, which makes adding safe to repeat.
 */
import { type Kysely, sql } from 'kysely';
import type { Clock } from '../core/clock.ts';
import type { Schema } from '../store/schema.ts';
import type { ChatMessage } from './brief.ts';

/** What is sent to the model of a long conversation: its latest messages, within these bounds. */
const MAX_MESSAGES = 40;
const MAX_CHARACTERS = 24_000;

export interface SessionKey {
  /** '' for local callers; part of the key, so that nobody reads another user's session by its id. */
  readonly userId: string;
  readonly sessionId: string;
}

export interface NewMessage extends SessionKey {
  readonly runId: string;
  readonly role: ChatMessage['role'];
  readonly content: string;
}

export interface SessionMemory {
  /** Adds a message, once per run and role. @returns its number in the session, the same when it was there already */
  add(message: NewMessage): Promise<number>;
  /**
   * The conversation up to and including message `last`, oldest first, as much of its end as fits a model's input.
   * Messages below a number that was given out never change, so the same call always returns the same.
   */
  recall(session: SessionKey, last: number): Promise<readonly ChatMessage[]>;
}

export function createSessionMemory({ db, clock }: { db: Kysely<Schema>; clock: Clock }): SessionMemory {
  return {
    add: (message) =>
      db.transaction().execute(async (trx) => {
        const { userId, sessionId, runId, role, content } = message;
        // One writer per session at a time: numbers are given out in the order in which they become visible.
        await sql`select pg_advisory_xact_lock(hashtextextended(${JSON.stringify([userId, sessionId])}, 0))`.execute(
          trx,
        );
        const there = await trx
          .selectFrom('session_messages')
          .select('seq')
          .where('run_id', '=', runId)
          .where('role', '=', role)
          .executeTakeFirst();
        if (there !== undefined) return there.seq;
        const newest = await trx
          .selectFrom('session_messages')
          .select('seq')
          .where('user_id', '=', userId)
          .where('session_id', '=', sessionId)
          .orderBy('seq', 'desc')
          .limit(1)
          .executeTakeFirst();
        const seq = (newest?.seq ?? 0) + 1;
        await trx
          .insertInto('session_messages')
          .values({
            user_id: userId,
            session_id: sessionId,
            seq,
            run_id: runId,
            role,
            content: JSON.stringify(content),
            created_at: new Date(clock.now()),
          })
          .execute();
        return seq;
      }),

    async recall({ userId, sessionId }, last) {
      const rows = await db
        .selectFrom('session_messages')
        .select(['role', 'content'])
        .where('user_id', '=', userId)
        .where('session_id', '=', sessionId)
        .where('seq', '<=', last)
        .orderBy('seq', 'desc')
        .limit(MAX_MESSAGES)
        .execute();
      return withinBounds(
        rows.map(({ role, content }) => ({ role: role === 'assistant' ? role : 'user', content: String(content) })),
      );
    },
  };
}

/** Newest first in, oldest first out; the newest message is kept however long it is. */
function withinBounds(newestFirst: readonly ChatMessage[]): ChatMessage[] {
  const kept: ChatMessage[] = [];
  let characters = 0;
  for (const message of newestFirst) {
    characters += message.content.length;
    if (kept.length > 0 && characters > MAX_CHARACTERS) break;
    kept.unshift(message);
  }
  return kept;
}
