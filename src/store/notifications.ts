/**
 * PostgreSQL's LISTEN/NOTIFY for this process: one connection that all listeners share. Notifications are wake-up
 * calls, not data: after a broken connection every listener is told to look for itself.
 */
import type pg from 'pg';
import type { Clock, Timer } from '../core/clock.ts';
import { asError } from '../core/errors.ts';
import type { Log } from '../telemetry/log.ts';

const RECONNECT_MS = 500;

export interface Listener {
  /** A notification on the channel. */
  heard(payload: string): void;
  /** Some may have been missed: look at the tables. */
  missed(): void;
}

export interface Notifications {
  /** Listens from now on; resolves when the server has confirmed, so that nothing later is missed. */
  listen(channel: string, listener: Listener): Promise<() => void>;
}

export interface NotificationService extends Notifications {
  start(): Promise<void>;
  stop(): Promise<void>;
}

export interface NotificationOptions {
  readonly connect: () => Promise<pg.Client>;
  readonly clock: Clock;
  readonly log: Log;
}

export function createNotifications({ connect, clock, log }: NotificationOptions): NotificationService {
  const channels = new Map<string, { listeners: Set<Listener>; confirmed: Promise<unknown> }>();
  let client: pg.Client | undefined;
  let retry: Timer | undefined;
  let stopped = false;

  async function open(): Promise<void> {
    const opened = await connect();
    if (stopped) return opened.end();
    opened.on('notification', ({ channel, payload = '' }) => {
      for (const listener of channels.get(channel)?.listeners ?? []) listener.heard(payload);
    });
    opened.on('error', (failure) => log.warn('the listening database connection broke', { error: failure.message }));
    opened.once('end', () => {
      client = undefined;
      if (!stopped) reopenLater();
    });
    client = opened;
    for (const channel of channels.keys()) await opened.query(`listen ${channel}`);
  }

  function reopenLater(): void {
    retry = clock.after(RECONNECT_MS, () => {
      open().then(
        () => {
          for (const { listeners } of channels.values()) for (const listener of listeners) listener.missed();
        },
        (failure: unknown) => {
          log.warn('the listening database connection could not be opened', { error: asError(failure).message });
          if (client === undefined && !stopped) reopenLater();
        },
      );
    });
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
  };
}
