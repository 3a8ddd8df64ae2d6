/** Somebody who owns the database and knows how logs are made: changes an event and makes every hash after it anew. */
import pg from 'pg';
import type { JsonObject } from '../../src/core/json.ts';
import { CHAIN_START, digestOf, linkHash } from '../../src/runs/event-chain.ts';

interface Row {
  readonly seq: number;
  readonly key: string;
  readonly type: string;
  readonly at: Date;
  readonly actor: string;
  readonly trace_id: string | null;
  readonly data: JsonObject;
}

export async function restamp(databaseUrl: string, runId: string, seq: number, change: { readonly actor: string }) {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query('update aos.run_events set actor = $3 where run_id = $1 and seq = $2', [
      runId,
      seq,
      change.actor,
    ]);
    const { rows } = await client.query<Row>('select * from aos.run_events where run_id = $1 order by seq', [runId]);
    let previous = CHAIN_START;
    for (const row of rows) {
      const { key, type, actor, data } = row;
      const digest = digestOf({ runId, key, type, at: row.at.toISOString(), actor, traceId: row.trace_id, data });
      const hash = linkHash(previous, row.seq, digest);
      const values = [runId, row.seq, previous, hash];
      await client.query('update aos.run_events set prev_hash = $3, hash = $4 where run_id = $1 and seq = $2', values);
      previous = hash;
    }
    await client.query('update aos.runs set last_hash = $2 where id = $1', [runId, previous]);
  } finally {
    await client.end();
  }
}
