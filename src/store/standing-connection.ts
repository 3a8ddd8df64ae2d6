/**
 * The one database connection this process keeps for itself: it listens (LISTEN/NOTIFY), and it holds locks that are
 * to end with the process. It is opened again when it breaks. Notifications are wake-up calls, not data: after a break
 * every listener is told to look for itself.
 */
import type pg from 'pg';
import type { Clock, Timer } from '../core/clock.ts';
import { asError } from '../core/errors.ts';
import type { Log } from '../telemetry/log.ts';

const REOPEN_MS = 500;

export interface Listener {
  /** A notification on the channel. */
  heard(payload: string): void;
  /** Some may have been missed: look at the tables. */
  missed(): void;
}

export interface Notifications {
  /** Listens from now on; resolves when the server has confirmed, so that nothing later is missed. */
  listen(channel: string, listener: Listener): Promise<() => void>;
  /**
   * Tells every process, this one too, as soon as possible and without waiting for it. Of several payloads for one
   * `key` that have not been sent yet only the last is. May be lost with the connection: listeners must not rely on it.
   * To be called after what it announces is committed. (NOTIFY inside a writing transaction would make all such
   * commits wait for each other, and for each other's disk writes.)
   */
  announce(channel: string, key: string, payload: string): void;
}

export interface Locks {
  /**
   * Takes a named lock that nobody else on this database can have until it is released or this process is gone.
   * @returns how to release it; undefined when somebody has it
   */
  tryHold(name: string): Promise<(() => Promise<void>) | undefined>;
}

export interface StandingConnection extends Notifications, Locks {
  start(): Promise<void>;
  stop(): Promise<void>;
}

export interface StandingConnectionOptions {
  readonly connect: () => Promise<pg.Client>;
  readonly clock: Clock;
  readonly log: Log;
}

export function createStandingConnection({ connect, clock, log }: StandingConnectionOptions): StandingConnection {
  const channels = new Map<string, { listeners: Set<Listener>; confirmed: Promise<unknown> }>();
  /** The locks that are ours, with the connection each was taken on. */
  const held = new Map<string, pg.Client | undefined>();
  let unsent = new Map<string, { channel: string; payload: string }>();
  let sending = false;
  let client: pg.Client | undefined;
  let retry: Timer | undefined;
  let stopped = false;

  async function open(): Promise<void> {
    const opened = await connect();
    if (stopped) return opened.end();
    opened.on('notification', ({ channel, payload = '' }) => {
      for (const listener of channels.get(channel)?.listeners ?? []) listener.heard(payload);
    });
    opened.on('error', (failure) => log.warn('the standing database connection broke', { reason: failure.message }));
    opened.once('end', () => {
      client = undefined;
      if (!stopped) reopenAfter(0);
    });
    // What it commits are wake-up calls: nobody waits for the disk because of them.
    await opened.query('set synchronous_commit = off');
    client = opened;
    for (const channel of channels.keys()) await opened.query(`listen ${channel}`);
  }

  function reopenAfter(ms: number): void {
    retry?.cancel();
    retry = clock.after(ms, () => {
      reopen().catch((failure: unknown) => {
        log.warn('the standing database connection could not be opened', { reason: asError(failure).message });
        if (!stopped) reopenAfter(REOPEN_MS);
      });
    });
  }

  async function reopen(): Promise<void> {
    if (client === undefined) await open();
    // The server may need a moment to notice that the broken connection is gone, and with it its locks.
    for (const [name, holder] of held) {
      if (holder === client) continue;
      if (!(await tryLock(name))) throw new Error(`the lock ${name} is still held by the broken connection`);
      held.set(name, client);
    }
    for (const { listeners } of channels.values()) for (const listener of listeners) listener.missed();
  }

  /** Sends what has gathered while the last batch was on its way: one statement at a time. */
  async function send(): Promise<void> {
    if (sending) return;
    sending = true;
    while (unsent.size > 0 && client !== undefined) {
      const batch = [...unsent.values()];
      unsent = new Map();
      const columns = [batch.map(({ channel }) => channel), batch.map(({ payload }) => payload)];
      await client
        .query(
          'select pg_notify(channel, payload) from unnest($1::text[], $2::text[]) as batch (channel, payload)',
          columns,
        )
        .catch((failure: unknown) => log.warn('notifications were not sent', { reason: asError(failure).message }));
    }
    unsent.clear();
    sending = false;
  }

  async function tryLock(name: string): Promise<boolean> {
    const result = await client?.query<{ won: boolean }>(
      `select pg_try_advisory_lock(hashtextextended($1, 0)) as won`,
      [`aos:${name}`],
    );
    return result?.rows[0]?.won === true;
  }

  return {
    start: open,
    async stop() {
      stopped = true;
      retry?.cancel();
      await client?.end().catch(() => {});
    },
    async listen(channel, listener) {
      // Channel names are ours, never a caller's; quoting would only hide a mistake.
      if (!/^[a-z_]+$/.test(channel)) throw new Error(`"${channel}" is not a channel name (a-z and _)`);
      let entry = channels.get(channel);
      if (entry === undefined) {
        // While the connection is away there is nothing to confirm: opening it listens to every channel.
        entry = { listeners: new Set(), confirmed: client?.query(`listen ${channel}`) ?? Promise.resolve() };
        channels.set(channel, entry);
      }
      const { listeners, confirmed } = entry;
      listeners.add(listener);
      await confirmed;
      // The server keeps notifying the channel; without listeners here that costs next to nothing.
      return () => listeners.delete(listener);
    },
    announce(channel, key, payload) {
      unsent.set(`${channel} ${key}`, { channel, payload });
      void send();
    },
    async tryHold(name) {
      if (held.has(name) || !(await tryLock(name))) return undefined;
      held.set(name, client);
      return async () => {
        if (!held.delete(name)) return;
        // A connection that breaks meanwhile has let go of it all the same.
        await client?.query(`select pg_advisory_unlock(hashtextextended($1, 0))`, [`aos:${name}`]).catch(() => {});
      };
    },
  };
}
