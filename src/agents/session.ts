/**
 * The memory of a conversation: the messages of one session of one user of one tenant, in the database, so that it outlives the
 * process. Messages are only ever added, once per run and role, which makes adding safe to repeat.
 */
import { sql } from 'kysely';
import { type Clock, isoTime } from '../core/clock.ts';
import type { Caller } from '../runs/run.ts';
import type { TenantScopes } from '../store/tenant-scopes.ts';
import type { ChatMessage } from './brief.ts';

/** What is sent to the model of a long conversation: its latest messages, within these bounds. */
const MAX_MESSAGES = 40;
const MAX_CHARACTERS = 24_000;

/** Tenant and user are part of the key, so that nobody reads another's session by its id. */
export interface SessionKey extends Caller {
  readonly sessionId: string;
}

export interface SessionSummary {
  readonly sessionId: string;
  readonly userId: string;
  readonly messages: number;
  /** ISO-8601 UTC: when the first and the latest message came. */
  readonly firstAt: string;
  readonly lastAt: string;
}

export interface SessionMessage extends ChatMessage {
  /** Counts 1, 2, 3 … within the session. */
  readonly seq: number;
  readonly runId: string;
  /** ISO-8601 UTC. */
  readonly at: string;
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

export interface SessionRegister {
  /** The caller's sessions, an administrator's those of the whole tenant; the one that was spoken in last first. */
  list(caller: Caller, limit: number): Promise<readonly SessionSummary[]>;
  /** Up to `limit` messages of a session with numbers above `after`, in order. */
  messages(session: SessionKey, after: number, limit: number): Promise<readonly SessionMessage[]>;
}

export function createSessionMemory({
  tenant,
  clock,
}: {
  tenant: TenantScopes;
  clock: Clock;
}): SessionMemory & SessionRegister {
  return {
    add: (message) =>
      tenant(message.tenantId)
        .transaction()
        .execute(async (trx) => {
          const { tenantId, userId, sessionId, runId, role, content } = message;
          // One writer per session at a time: numbers are given out in the order in which they become visible.
          await sql`select pg_advisory_xact_lock(hashtextextended(${JSON.stringify([tenantId, userId, sessionId])}, 0))`.execute(
            trx,
          );
          const there = await trx
            .selectFrom('session_messages')
            .select('seq')
            .where('tenant_id', '=', tenantId)
            .where('run_id', '=', runId)
            .where('role', '=', role)
            .executeTakeFirst();
          if (there !== undefined) return there.seq;
          const newest = await trx
            .selectFrom('session_messages')
            .select('seq')
            .where('tenant_id', '=', tenantId)
            .where('user_id', '=', userId)
            .where('session_id', '=', sessionId)
            .orderBy('seq', 'desc')
            .limit(1)
            .executeTakeFirst();
          const seq = (newest?.seq ?? 0) + 1;
          await trx
            .insertInto('session_messages')
            .values({
              tenant_id: tenantId,
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

    async recall({ tenantId, userId, sessionId }, last) {
      const rows = await tenant(tenantId)
        .selectFrom('session_messages')
        .select(['role', 'content'])
        .where('tenant_id', '=', tenantId)
        .where('user_id', '=', userId)
        .where('session_id', '=', sessionId)
        .where('seq', '<=', last)
        .orderBy('seq', 'desc')
        .limit(MAX_MESSAGES)
        .execute();
      return withinBounds(rows.map(messageOf));
    },

    async list(caller, limit) {
      const { tenantId } = caller;
      // Without oversight a caller without user has the sessions of no user, and not those of all.
      const userId = caller.oversees ? undefined : caller.userId;
      const rows = await tenant(tenantId)
        .selectFrom('session_messages')
        .where('tenant_id', '=', tenantId)
        .$if(userId !== undefined, (all) => all.where('user_id', '=', userId ?? ''))
        .groupBy(['user_id', 'session_id'])
        .select(({ fn }) => [
          'user_id',
          'session_id',
          fn.max('seq').as('messages'),
          fn.min('created_at').as('first_at'),
          fn.max('created_at').as('last_at'),
        ])
        .orderBy('last_at', 'desc')
        .orderBy('session_id')
        .orderBy('user_id')
        .limit(limit)
        .execute();
      return rows.map(({ user_id, session_id, messages, first_at, last_at }) => ({
        sessionId: session_id,
        userId: user_id,
        messages: Number(messages),
        firstAt: isoTime(first_at.getTime()),
        lastAt: isoTime(last_at.getTime()),
      }));
    },

    async messages({ tenantId, userId, sessionId }, after, limit) {
      const rows = await tenant(tenantId)
        .selectFrom('session_messages')
        .select(['seq', 'role', 'content', 'run_id', 'created_at'])
        .where('tenant_id', '=', tenantId)
        .where('user_id', '=', userId)
        .where('session_id', '=', sessionId)
        .where('seq', '>', after)
        .orderBy('seq')
        .limit(limit)
        .execute();
      return rows.map(({ seq, role, content, run_id, created_at }) => ({
        ...messageOf({ role, content }),
        seq,
        runId: run_id,
        at: isoTime(created_at.getTime()),
      }));
    },
  };
}

function messageOf({ role, content }: { role: string; content: unknown }): ChatMessage {
  return { role: role === 'assistant' ? role : 'user', content: String(content) };
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
