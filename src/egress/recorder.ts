/**
 * What would have left, of simulated work: written down in place of being sent, and shown to whose work it was. A request
 * that is recorded is answered as a good receiver answers, and the same one twice is recorded once.
 */
import { type Selectable, sql } from 'kysely';
import { type Clock, isoTime } from '../core/clock.ts';
import { AosError } from '../core/errors.ts';
import { newUuid } from '../core/ids.ts';
import type { Database } from '../store/database.ts';
import type { SimulationRecordingTable } from '../store/tables/simulation.ts';
import type { GuardedFetch } from './guarded-fetch.ts';
import type { Owner } from './outbox.ts';

export interface NewRecording extends Owner {
  /** The same for the same thing done twice; a new one when left out. */
  readonly id?: string | undefined;
  /** What would have left: `callback`, `notice`, `http_fetch` … */
  readonly kind: string;
  /** Id of what it belongs to. */
  readonly subject: string;
  readonly method: string;
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
}

export interface Recording {
  readonly id: string;
  readonly kind: string;
  readonly subject: string;
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  /** ISO-8601 UTC. */
  readonly at: string;
}

export interface RecordingFilter {
  readonly kind?: string | undefined;
  readonly subject?: string | undefined;
  readonly limit: number;
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
}

export interface Recorder {
  record(recording: NewRecording): Promise<void>;
  /** Newest first. */
  list(
    owner: Owner,
    filter: RecordingFilter,
  ): Promise<{ readonly items: readonly Recording[]; readonly nextCursor: string | null }>;
}

export function createRecorder({ database, clock }: { readonly database: Database; readonly clock: Clock }): Recorder {
  const { tenant } = database;
  return {
    async record({ id = newUuid(), tenantId, userId, kind, subject, method, url, headers = {}, body }) {
      await tenant(tenantId)
        .insertInto('simulation_recordings')
        .values({
          id,
          tenant_id: tenantId,
          user_id: userId,
          kind,
          subject,
          method,
          url,
          headers: JSON.stringify(headers),
          body: body ?? null,
          at: new Date(clock.now()),
        })
        .onConflict((conflict) => conflict.columns(['tenant_id', 'id']).doNothing())
        .execute();
    },
    async list({ tenantId, userId }, { kind, subject, limit, cursor }) {
      if (cursor !== undefined && !/^\d{1,18}$/.test(cursor)) {
        throw new AosError('invalid_request', `"cursor" must be the next_cursor of the page before, got "${cursor}"`);
      }
      const rows = await tenant(tenantId)
        .selectFrom('simulation_recordings')
        .selectAll()
        .where('tenant_id', '=', tenantId)
        .where(sql<boolean>`(${userId} = '' or user_id = ${userId})`)
        .$if(kind !== undefined, (all) => all.where('kind', '=', kind ?? ''))
        .$if(subject !== undefined, (all) => all.where('subject', '=', subject ?? ''))
        .$if(cursor !== undefined, (all) => all.where('number', '<', cursor ?? ''))
        .orderBy('number', 'desc')
        .limit(limit + 1)
        .execute();
      const items = rows.slice(0, limit);
      return { items: items.map(toRecording), nextCursor: rows.length > limit ? (items.at(-1)?.number ?? null) : null };
    },
  };
}

/** Requests that are written down in place of being made, and answered 200 with nothing. */
export function createRecordingFetch(recorder: Recorder): GuardedFetch {
  return async ({ url, method = 'GET', headers = {}, body, about, onSending }, signal) => {
    signal.throwIfAborted();
    if (about === undefined) throw new Error('a request that is to be recorded does not say whose it is');
    const text = typeof body === 'string' || body === undefined ? body : new TextDecoder().decode(body);
    onSending?.();
    await recorder.record({ ...about, method, url, headers, body: text });
    return { url, status: 200, headers: {}, body: new Uint8Array(), truncated: false };
  };
}

function toRecording(row: Selectable<SimulationRecordingTable>): Recording {
  const { id, kind, subject, method, url, headers, body, at } = row;
  return {
    id,
    kind,
    subject,
    method,
    url,
    headers: headers as Record<string, string>,
    body,
    at: isoTime(at.getTime()),
  };
}
