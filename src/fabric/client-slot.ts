/**
 * The one client of a connector whose library keeps a connection. It is opened with the first call that needs it, by one
 * caller for all, and thrown away when it broke or when a call that was under way gave up: what comes next opens another,
 * with the secrets as they are then. The library itself never reconnects.
 */
import { untilAborted } from '../core/abort.ts';

export interface ClientSlot<Client> {
  /** The client, opened if there is none. Rejects as opening does, or with the signal's reason. */
  take(signal: AbortSignal): Promise<Client>;
  /** Throws this client away, unless another has taken its place. */
  drop(client: Client): void;
  /** Throws away what there is; nothing is taken any more. */
  close(): Promise<void>;
}

/**
 * @param open makes a connected client or rejects
 * @param dispose lets go of its connections; whatever it throws is of no interest any more
 */
export function createClientSlot<Client>(
  open: () => Promise<Client>,
  dispose: (client: Client) => unknown,
): ClientSlot<Client> {
  let current: Promise<Client> | undefined;
  let held: Client | undefined;
  let closed = false;

  async function end(client: Client): Promise<void> {
    try {
      await dispose(client);
    } catch {
      // It was broken already.
    }
  }

  async function opened(): Promise<Client> {
    try {
      const client = await open();
      if (closed) await end(client);
      else held = client;
      return client;
    } catch (thrown) {
      current = undefined;
      throw thrown;
    }
  }

  return {
    take(signal) {
      signal.throwIfAborted();
      if (closed) throw new Error('this connector is closed');
      current ??= opened();
      return untilAborted(current, signal);
    },
    drop(client) {
      if (client !== held) return;
      current = undefined;
      held = undefined;
      void end(client);
    },
    async close() {
      closed = true;
      const last = current;
      current = undefined;
      if (held !== undefined) await end(held);
      held = undefined;
      await last?.catch(() => undefined);
    },
  };
}
