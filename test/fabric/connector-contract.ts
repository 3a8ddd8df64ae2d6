/** What every connector keeps, whatever its plane: a set of tests over a connector and a peer that misbehaves. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ConnectorError, type Fault, type PlaneConnector, type RoutedAction } from '../../src/fabric/connector.ts';
import type { PlaneKind, Vendor } from '../../src/fabric/plane.ts';
import { connectorCall } from '../support/connector.ts';

/** Who stands under the contract: a title, and what its connector says it is. `vendor-roster.test.ts` holds them to be all. */
export const underContract = {
  'the Workato webhook connector': { vendor: 'workato', plane: 'ipaas' },
  'the Workato API recipe connector': { vendor: 'workato', plane: 'ipaas' },
  'the Tray connector': { vendor: 'tray', plane: 'ipaas' },
  'the Celigo listener connector': { vendor: 'celigo', plane: 'ipaas' },
  'the Kong connector': { vendor: 'kong', plane: 'api_gateway' },
  'the Kong connector behind a real gateway': { vendor: 'kong', plane: 'api_gateway' },
  'the Apigee connector': { vendor: 'apigee', plane: 'api_gateway' },
  'the Apigee connector behind a real gateway': { vendor: 'apigee', plane: 'api_gateway' },
  'the Kafka connector': { vendor: 'kafka', plane: 'event_bus' },
  'the EventBridge connector': { vendor: 'eventbridge', plane: 'event_bus' },
  'the Redis Streams connector': { vendor: 'redis_streams', plane: 'event_bus' },
  'the Snowflake connector': { vendor: 'snowflake', plane: 'data_warehouse' },
  'the BigQuery connector': { vendor: 'bigquery', plane: 'data_warehouse' },
  'the direct HTTP connector': { vendor: 'http', plane: 'direct' },
  'the custom HTTP connector': { vendor: 'http', plane: 'custom' },
} as const satisfies Record<string, { readonly vendor: Vendor; readonly plane: PlaneKind }>;
export type ContractName = keyof typeof underContract;

/** A way in which a peer fails, and what the connector is to make of it. */
export interface PeerFault {
  readonly when: string;
  readonly fault: Fault;
  readonly retryAfterMs?: number;
  /** Of the call, in milliseconds; short for peers that say nothing. */
  readonly timeMs?: number;
  /** Makes the peer fail from now on. */
  inject(): void | Promise<void>;
}

type Keys = readonly (string | undefined)[];

export interface ContractPeer {
  readonly connector: PlaneConnector;
  readonly action: RoutedAction;
  /** What an action that comes through is. */
  readonly kind: 'accepted' | 'completed';
  readonly faults: readonly PeerFault[];
  /** Texts that nobody may see. */
  readonly secrets: readonly string[];
  /** The keys of the actions that came, in their order. */
  keys(): Keys | Promise<Keys>;
  /** What a key of ours is for the peer; itself when left out. */
  carried?(key: string): string;
  /** Lets the peer behave again. */
  heal(): void | Promise<void>;
  /** Ends the peer. */
  leave(): Promise<void>;
}

/** @param faults their names, because tests are named before the peer is there */
export function connectorContract(
  name: ContractName,
  faults: readonly string[],
  start: () => Promise<ContractPeer>,
): void {
  describe(name, () => {
    let peer: ContractPeer;
    beforeAll(async () => {
      peer = await start();
    });
    beforeEach(() => peer.heal());
    afterAll(async () => {
      await peer.connector.close();
      await peer.leave();
    });

    async function failure(timeMs = 5_000): Promise<ConnectorError> {
      const thrown: unknown = await peer.connector.run(peer.action, connectorCall(timeMs)).catch((error) => error);
      if (thrown instanceof ConnectorError) return thrown;
      throw new Error(`expected a ConnectorError, got ${JSON.stringify(thrown)} ${String(thrown)}`);
    }

    it('brings an action through with our key, and says whether it is done', async () => {
      const call = connectorCall();
      const result = await peer.connector.run(peer.action, call);
      expect(result.kind).toBe(peer.kind);
      const key = call.idempotencyKey;
      expect((await peer.keys()).at(-1)).toBe(peer.carried?.(key) ?? key);
    });

    it('carries the same key on every attempt at an action', async () => {
      const call = connectorCall();
      const before = (await peer.keys()).length;
      const first = await peer.connector.run(peer.action, call);
      const again = await peer.connector.run(peer.action, { ...call, attempt: 2 });
      const came = (await peer.keys()).slice(before);
      const key = peer.carried?.(call.idempotencyKey) ?? call.idempotencyKey;
      expect(came).toEqual([key, key]);
      // Who does a key once says the same of it again.
      if (peer.connector.dedupes) expect(again.externalId).toBe(first.externalId);
    });

    it('makes one attempt for one call', async () => {
      const before = (await peer.keys()).length;
      await peer.connector.run(peer.action, connectorCall());
      expect((await peer.keys()).length - before).toBe(1);
    });

    it('is what it says it is, and knows of its peer what was surely not done and what nobody knows', () => {
      expect(peer.connector).toMatchObject(underContract[name]);
      expect(peer.faults.map(({ when }) => when)).toEqual(faults);
      const known = new Set(peer.faults.map(({ fault }) => fault));
      expect(known).toContain('ambiguous');
      expect(known.size).toBeGreaterThan(1);
    });

    it.each(faults)('knows what it means when the peer %s, and does not try again', async (when) => {
      const fault = peer.faults.find((one) => one.when === when);
      if (fault === undefined) throw new Error(`there is no fault ${when}`);
      await fault.inject();
      const before = (await peer.keys()).length;
      const error = await failure(fault.timeMs);
      expect(error).toMatchObject({ fault: fault.fault });
      if (fault.retryAfterMs !== undefined) expect(error.retryAfterMs).toBe(fault.retryAfterMs);
      expect((await peer.keys()).length - before).toBeLessThanOrEqual(1);
      for (const secret of peer.secrets) expect(`${error.message} ${error.vendorCode}`).not.toContain(secret);
    });

    it('sends nothing for a call that is over before it begins', async () => {
      const before = (await peer.keys()).length;
      const reason = new Error('called off');
      const call = { ...connectorCall(), signal: AbortSignal.abort(reason) };
      await expect(peer.connector.run(peer.action, call)).rejects.toBe(reason);
      const late = { ...connectorCall(), deadline: 0 };
      await expect(peer.connector.run(peer.action, late)).rejects.toMatchObject({ fault: 'not_sent' });
      expect((await peer.keys()).length).toBe(before);
    });

    it('says that it is healthy while its peer is there, and down when it is not', async () => {
      expect(await peer.connector.health(new AbortController().signal)).toMatchObject({ status: 'healthy' });
      await peer.leave();
      expect(await peer.connector.health(new AbortController().signal)).toMatchObject({ status: 'down' });
      expect(await failure()).toMatchObject({ fault: 'not_sent' });
    });
  });
}
