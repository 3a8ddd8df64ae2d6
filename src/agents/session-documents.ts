/**
 * The documents of a session: texts that its agents can search and add to. Like its messages they belong to one user
 * of one tenant and outlive the process. Documents are only ever added, once per key, which makes adding safe to repeat.
 */
import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import { type Clock, isoTime } from '../core/clock.ts';
import { AosError } from '../core/errors.ts';
import type { TenantScopes } from '../store/tenant-scopes.ts';
import type { SessionKey } from './session.ts';
import { type Passage, searchTexts } from './text-search.ts';

export interface NewDocument {
  /** The same key is stored once per session, e.g. an idempotency key. */
  readonly key: string;
  readonly title: string;
  readonly content: string;
}

export interface DocumentSummary {
  readonly id: string;
  readonly title: string;
  readonly characters: number;
  /** ISO-8601 UTC. */
  readonly createdAt: string;
}

export interface SessionDocuments {
  /** @returns the document as it is stored; what was there under the key stays. @throws AosError payload_too_large */
  add(session: SessionKey, document: NewDocument): Promise<DocumentSummary>;
  /** Oldest first; for an administrator those of every user's session of that id. */
  list(session: SessionKey): Promise<readonly DocumentSummary[]>;
  /** The passages that fit the words best, best first. */
  search(session: SessionKey, query: string, limit: number): Promise<readonly Passage[]>;
}

/** What one session may hold: bounds what a search reads. */
const MAX_DOCUMENTS = 200;
const MAX_CHARACTERS = 200_000;

export function createSessionDocuments({ tenant, clock }: { tenant: TenantScopes; clock: Clock }): SessionDocuments {
  /** Of all users who call a session so. */
  const ofSessions = ({ tenantId, sessionId }: SessionKey) =>
    tenant(tenantId)
      .selectFrom('session_documents')
      .where('tenant_id', '=', tenantId)
      .where('session_id', '=', sessionId)
      .orderBy('created_at')
      .orderBy('id');
  const ofSession = (session: SessionKey) => ofSessions(session).where('user_id', '=', session.userId);

  return {
    async add(session, { key, title, content }) {
      if (content.length > MAX_CHARACTERS) {
        throw new AosError(
          'payload_too_large',
          `a document of a session has at most ${MAX_CHARACTERS} characters, got ${content.length}`,
        );
      }
      const { tenantId, userId, sessionId } = session;
      const id = idOf(session, key);
      const characters = content.length;
      // Counted in the same statement that adds: two that come at once may both fit, which is near enough.
      await sql`
        insert into aos.session_documents (tenant_id, user_id, session_id, id, title, content, characters, created_at)
        select ${tenantId}, ${userId}, ${sessionId}, ${id}, ${JSON.stringify(title)}, ${JSON.stringify(content)},
          ${characters}, ${new Date(clock.now())}
        where (select count(*) from aos.session_documents
          where tenant_id = ${tenantId} and user_id = ${userId} and session_id = ${sessionId}) < ${MAX_DOCUMENTS}
        on conflict do nothing`.execute(tenant(tenantId));
      const stored = await ofSession(session)
        .where('id', '=', id)
        .select(['id', 'title', 'characters', 'created_at'])
        .executeTakeFirst();
      if (stored !== undefined) return summary(stored);
      throw new AosError('payload_too_large', `the session holds ${MAX_DOCUMENTS} documents, which is all it may`);
    },

    async list(session) {
      const found = session.oversees ? ofSessions(session) : ofSession(session);
      return (await found.select(['id', 'title', 'characters', 'created_at']).execute()).map(summary);
    },

    async search(session, query, limit) {
      const rows = await ofSession(session).select(['id', 'title', 'content']).execute();
      const texts = rows.map(({ id, title, content }) => ({ id, title: String(title), content: String(content) }));
      return searchTexts(query, texts, limit);
    },
  };
}

function summary(row: { id: string; title: unknown; characters: number; created_at: Date }): DocumentSummary {
  const { id, title, characters, created_at } = row;
  return { id, title: String(title), characters, createdAt: isoTime(created_at.getTime()) };
}

function idOf({ tenantId, userId, sessionId }: SessionKey, key: string): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([tenantId, userId, sessionId, key]))
    .digest('hex');
  return `doc_${hash.slice(0, 24)}`;
}
