/** Waiting for something to happen to a thing, wherever in the processes it does: an inbox, a delegation. */
import type { Clock, Timer } from '../core/clock.ts';
import type { Notifications } from '../store/standing-connection.ts';

const CHANNEL = 'aos_mail';

export interface Ear {
  /** Resolves when something was told since the last call, after `ms`, or when the signal fires. Never rejects. */
  next(ms: number, signal: AbortSignal): Promise<void>;
  close(): void;
}

export interface News {
  /** Hears what is told about `key` from now on. */
  listen(key: string): Promise<Ear>;
  /** To be called after what it tells is committed; may be lost, so nobody relies on it alone. */
  tell(key: string): void;
}

export function createNews({ notifications, clock }: { notifications: Notifications; clock: Clock }): News {
  const ears = new Map<string, Set<() => void>>();
  let listening: Promise<unknown> | undefined;

  function wake(key: string): void {
    for (const hear of ears.get(key) ?? []) hear();
  }

  return {
    tell: (key) => notifications.announce(CHANNEL, key, key),
    async listen(key) {
      listening ??= notifications.listen(CHANNEL, {
        heard: wake,
        missed: () => {
          for (const each of ears.keys()) wake(each);
        },
      });
      let isNews = false;
      let finish: (() => void) | undefined;
      const hear = () => {
        isNews = true;
        finish?.();
      };
      const among = ears.get(key) ?? new Set();
      ears.set(key, among.add(hear));
      await listening;
      return {
        async next(ms, signal) {
          if (!isNews && !signal.aborted && ms > 0) {
            let timer: Timer | undefined;
            await new Promise<void>((resolve) => {
              finish = resolve;
              timer = clock.after(ms, resolve);
              signal.addEventListener('abort', finish, { once: true });
            });
            if (finish !== undefined) signal.removeEventListener('abort', finish);
            finish = undefined;
            timer?.cancel();
          }
          isNews = false;
        },
        close() {
          among.delete(hear);
          if (among.size === 0 && ears.get(key) === among) ears.delete(key);
        },
      };
    },
  };
}
