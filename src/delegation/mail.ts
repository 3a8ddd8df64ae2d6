/**
 * The mail of agents: every message to an agent has a number in its inbox, given under a lock, so that whoever goes on
 * after the last number it saw misses nothing and sees nothing twice.
 */
import { createHash } from 'node:crypto';
import { type Selectable, sql } from 'kysely';
import { type Clock, isoTime } from '../core/clock.ts';
import { AosError } from '../core/errors.ts';
import { canonicalJson, type JsonObject } from '../core/json.ts';
import { type Caller, reachOf } from '../runs/run.ts';
import type { Database, StoreScope } from '../store/database.ts';
import type { AgentMessageTable } from '../store/tables/delegation.ts';
import type { ListedAgent } from './agent-card.ts';
import { isOwner } from './directory.ts';
import type { News } from './news.ts';

export interface Letter {
  readonly id: string;
  readonly caller: Caller;
  /** A word of the protocol it came by. */
  readonly type: string;
  readonly from: string;
  readonly to: string;
  readonly correlationId: string;
  readonly inReplyTo: string | null;
  readonly payload: JsonObject;
  readonly metadata: JsonObject;
  /** The fabric context it was sent in. */
  readonly fabric: JsonObject;
  readonly scan: JsonObject | null;
  /** ISO-8601 UTC. */
  readonly expiresAt: string | null;
  readonly delegationId: string | null;
  readonly contextId: string | null;
  /** The task that answers it. */
  readonly taskId: string | null;
}

export interface SentLetter extends Letter {
  /** Number in the inbox of `to`. */
  readonly seq: number;
  readonly createdAt: string;
  readonly requestHash: string;
}

export interface Inbox {
  readonly agent: ListedAgent;
  readonly caller: Caller;
}

export interface Mail {
  /**
   * Writes a letter as part of a transaction; `announce` it when that is committed.
   * @param requestHash what "the same letter" means; '' for one that this server writes
   * @throws AosError conflict (MESSAGE_EXISTS) when the tenant has another one of that id
   */
  post(within: StoreScope, letter: Letter, requestHash?: string): Promise<SentLetter>;
  announce(letter: Pick<Letter, 'caller' | 'to' | 'from'>): void;
  /** The letter of that id if the caller sent it, or may read the inbox it went to (`isReader`). */
  find(tenantId: string, id: string): Promise<SentLetter | undefined>;
  /** The newest letter in answer to one. */
  replyTo(letter: SentLetter): Promise<SentLetter | undefined>;
  /** Up to `limit` letters of an inbox after a number, in order; those that have expired are left out. */
  read(inbox: Inbox, after: number, limit: number): Promise<readonly SentLetter[]>;
  /** All letters after a number, then each new one; ends when the signal fires. */
  follow(inbox: Inbox, after: number, signal: AbortSignal): AsyncIterable<SentLetter>;
  /** Deletes letters and shared contexts older than this (ISO-8601 UTC). @returns how many */
  prune(before: string): Promise<number>;
}

const PAGE = 200;
/** How long silence is trusted. */
const SILENCE_MS = 5_000;

export interface MailParts {
  readonly database: Pick<Database, 'db' | 'tenant'>;
  readonly news: News;
  readonly clock: Clock;
}

export function createMail({ database, news, clock }: MailParts): Mail {
  const { db, tenant } = database;

  async function load(tenantId: string, id: string): Promise<SentLetter | undefined> {
    const row = await tenant(tenantId)
      .selectFrom('agent_messages')
      .selectAll()
      .where('tenant_id', '=', tenantId)
      .where('id', '=', id)
      .executeTakeFirst();
    return row && toLetter(row);
  }

  async function read({ agent, caller }: Inbox, after: number, limit: number): Promise<readonly SentLetter[]> {
    let query = tenant(agent.tenantId)
      .selectFrom('agent_messages')
      .selectAll()
      .where('tenant_id', '=', agent.tenantId)
      .where('to_agent', '=', agent.id)
      .where('seq', '>', String(after))
      .where(({ eb, or }) => or([eb('expires_at', 'is', null), eb('expires_at', '>', new Date(clock.now()))]))
      .orderBy('seq')
      .limit(limit);
    // Everybody of the tenant works with the agents of this server: each reads what belongs to their own work.
    if (agent.isOurs && reachOf(caller) !== '') query = query.where('user_id', '=', caller.userId);
    return (await query.execute()).map(toLetter);
  }

  return {
    async post(within, letter, requestHash = '') {
      const { caller, to } = letter;
      const { rows } = await sql<{ seq: string }>`select aos.next_letter(${caller.tenantId}, ${to}) as seq`.execute(
        within,
      );
      const row = await within
        .insertInto('agent_messages')
        .values({
          tenant_id: caller.tenantId,
          id: letter.id,
          seq: rows[0]?.seq ?? '0',
          user_id: caller.userId,
          type: letter.type,
          from_agent: letter.from,
          to_agent: to,
          correlation_id: letter.correlationId,
          in_reply_to: letter.inReplyTo,
          payload: JSON.stringify(letter.payload),
          metadata: JSON.stringify(letter.metadata),
          fabric: JSON.stringify(letter.fabric),
          scan: letter.scan === null ? null : JSON.stringify(letter.scan),
          request_hash: requestHash,
          created_at: new Date(clock.now()),
          expires_at: letter.expiresAt === null ? null : new Date(letter.expiresAt),
          delegation_id: letter.delegationId,
          context_id: letter.contextId,
          task_id: letter.taskId,
        })
        .onConflict((conflict) => conflict.columns(['tenant_id', 'id']).doNothing())
        .returningAll()
        .executeTakeFirst();
      if (row !== undefined) return toLetter(row);
      throw letterExists(letter.id);
    },
    announce({ caller: { tenantId }, to, from }) {
      news.tell(inboxKey(tenantId, to));
      if (from !== to) news.tell(inboxKey(tenantId, from));
    },
    find: load,
    async replyTo({ caller: { tenantId }, id }) {
      const row = await tenant(tenantId)
        .selectFrom('agent_messages')
        .selectAll()
        .where('tenant_id', '=', tenantId)
        .where('in_reply_to', '=', id)
        .orderBy('created_at', 'desc')
        .orderBy('seq', 'desc')
        .limit(1)
        .executeTakeFirst();
      return row && toLetter(row);
    },
    read,
    async *follow(inbox, after, signal) {
      const ear = await news.listen(inboxKey(inbox.agent.tenantId, inbox.agent.id));
      try {
        let last = after;
        while (!signal.aborted) {
          const page = await read(inbox, last, PAGE);
          for (const letter of page) {
            last = letter.seq;
            yield letter;
            if (signal.aborted) return;
          }
          if (page.length < PAGE) await ear.next(SILENCE_MS, signal);
        }
      } finally {
        ear.close();
      }
    },
    async prune(before) {
      const old = new Date(before);
      const { numDeletedRows } = await db.deleteFrom('agent_messages').where('created_at', '<', old).executeTakeFirst();
      await db.deleteFrom('shared_contexts').where('updated_at', '<', old).execute();
      return Number(numDeletedRows);
    },
  };
}

/** What is told when something came for an agent, or an agent's own letter was answered. */
export function inboxKey(tenantId: string, agentId: string): string {
  return `${tenantId} ${agentId}`;
}

/** Whether the caller may see the letter: it belongs to their work, or to an agent of theirs at either end. */
export function mayRead(
  letter: Pick<Letter, 'caller'>,
  ends: readonly (ListedAgent | undefined)[],
  caller: Caller,
): boolean {
  if (letter.caller.tenantId !== caller.tenantId) return false;
  if (reachOf(caller) === '' || letter.caller.userId === caller.userId) return true;
  return ends.some((agent) => agent !== undefined && !agent.isOurs && isOwner(agent, caller));
}

/** SHA-256 of what was sent, hex. */
export function hashLetter(sent: JsonObject): string {
  return createHash('sha256').update(canonicalJson(sent)).digest('hex');
}

export function letterExists(id: string): AosError {
  return new AosError(
    'conflict',
    `The id "${id}" already belongs to another message: repeat that message exactly to get its answer, or use a new id.`,
    { reason: 'MESSAGE_EXISTS' },
  );
}

function toLetter(row: Selectable<AgentMessageTable>): SentLetter {
  return {
    id: row.id,
    seq: Number(row.seq),
    caller: { tenantId: row.tenant_id, userId: row.user_id },
    type: row.type,
    from: row.from_agent,
    to: row.to_agent,
    correlationId: row.correlation_id,
    inReplyTo: row.in_reply_to,
    payload: row.payload,
    metadata: row.metadata,
    fabric: row.fabric,
    scan: row.scan,
    requestHash: row.request_hash,
    createdAt: isoTime(row.created_at.getTime()),
    expiresAt: row.expires_at?.toISOString() ?? null,
    delegationId: row.delegation_id,
    contextId: row.context_id,
    taskId: row.task_id,
  };
}
