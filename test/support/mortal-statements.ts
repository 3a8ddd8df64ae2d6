/**
 * Has this process kill itself around what it writes besides the acts of runs: tasks, jobs, approvals, documents,
 * messages in the outbox. It stands between the driver and the server: a transaction dies before or after its commit, a
 * statement on its own as if it were one.
 */
import { createHash } from 'node:crypto';
import pg from 'pg';
import type { DeathList } from './death-list.ts';
import { withinAct } from './mortal-acts.ts';

const WRITE =
  /\b(insert into|update|delete from)\s+"?aos"?\."?(\w+)|\baos\.((?:claim|write|signal|move|append|store)_\w+)\(/gi;
/** A word of ours among the values, such as a status: it tells two writes of one form apart. */
const WORD = /^[a-z][a-z_.]{2,30}$/;

type Query = (text: unknown, values?: unknown, ...rest: unknown[]) => unknown;
type Answer = { rowCount: number | null };

/** To be called before the first connection is made. */
export function makeStatementsMortal(die: 'before' | 'after', deaths: DeathList): void {
  /** What the transaction of a connection has written so far. */
  const open = new WeakMap<object, string[]>();
  const send = pg.Client.prototype.query as unknown as Query;

  function perish(boundary: string): void {
    if (deaths.isNew(boundary)) process.kill(process.pid, 'SIGKILL');
  }

  async function mortal(client: pg.Client, text: string, values: unknown): Promise<unknown> {
    const written = open.get(client);
    const verb = text.trim().toLowerCase();
    if (/^(begin|start transaction)/.test(verb)) open.set(client, []);
    if (/^(commit|rollback)/.test(verb)) open.delete(client);
    if (verb === 'commit' && written !== undefined && written.length > 0) {
      if (die === 'before') perish(written.join(', '));
      const answer = await send.call(client, text, values);
      if (die === 'after') perish(written.join(', '));
      return answer;
    }
    const name = nameOf(text, values);
    if (name === undefined) return send.call(client, text, values);
    if (written !== undefined || die === 'after') {
      const answer = (await send.call(client, text, values)) as Answer;
      if ((answer.rowCount ?? 0) > 0) written === undefined ? perish(name) : written.push(name);
      return answer;
    }
    await send.call(client, 'begin');
    try {
      const answer = (await send.call(client, text, values)) as Answer;
      if ((answer.rowCount ?? 0) > 0) perish(name);
      await send.call(client, 'commit');
      return answer;
    } catch (failure) {
      await send.call(client, 'rollback');
      throw failure;
    }
  }

  const query: Query = function (this: pg.Client, text, values, ...rest) {
    const isOurs = typeof text === 'string' && typeof values !== 'function' && rest.length === 0;
    if (!isOurs || withinAct.getStore() === true) return send.call(this, text, values, ...rest);
    return mortal(this, text, values);
  };
  pg.Client.prototype.query = query as unknown as typeof pg.Client.prototype.query;
}

/** What a statement writes, or nothing when it only reads. */
function nameOf(text: string, values: unknown): string | undefined {
  const writes = [...text.matchAll(WRITE)].map(([, verb, table, routine]) => routine ?? `${verb} ${table}`);
  if (writes.length === 0) return undefined;
  const words = Array.isArray(values) ? values.filter((value) => typeof value === 'string' && WORD.test(value)) : [];
  // Two statements of one verb and table are told apart by their form.
  const form = createHash('sha256').update(text).digest('hex').slice(0, 4);
  return [...writes, ...words, form].join(' ');
}
