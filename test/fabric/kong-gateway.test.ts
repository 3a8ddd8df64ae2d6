import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { createGuardedFetch } from '../../src/egress/guarded-fetch.ts';
import { apigee } from '../../src/fabric/apigee.ts';
import type { Fault, PlaneConnector } from '../../src/fabric/connector.ts';
import { anyKind } from '../../src/fabric/connector-kind.ts';
import { kong } from '../../src/fabric/kong.ts';
import { originGuard } from '../../src/fabric/origin-guard.ts';
import { createSecretReader } from '../../src/fabric/secret.ts';
import { connectorCall, failureOf, routedAction } from '../support/connector.ts';
import { type Gateway, MAX_BODY_BYTES, missingForGateway, startGateway } from '../support/gateway.ts';
import { breakOff, hang, type PlaneDouble, type PlaneManner, say, startPlaneDouble } from '../support/plane-double.ts';
import { titled } from '../support/program.ts';
import { connectorContract } from './connector-contract.ts';

const KEY = 'key-of-tenant-a';
const RARE_KEY = 'key-of-whom-comes-rarely';
const missing = missingForGateway();

const gateways = {
  kong: { kind: anyKind(kong), header: 'apikey' },
  apigee: { kind: anyKind(apigee), header: 'x-apikey' },
} as const;

const action = routedAction({
  plane: 'api_gateway',
  binding: { kind: 'proxy', route: 'crm', path: '/crm/v1/customers/{id}' },
});

function connectorTo(manner: keyof typeof gateways, { url }: Gateway, key: string | undefined): PlaneConnector {
  const { kind, header } = gateways[manner];
  const auth = key === undefined ? { type: 'none' } : { type: 'header', name: header, value: { $env: 'KEY' } };
  const { origins, create } = kind.open({ base_url: url, auth });
  const fetch = createGuardedFetch({ clock: systemClock, allow: ['127.0.0.0/8'] });
  const secret = createSecretReader((name) => (name === 'KEY' ? key : undefined));
  return create({ clock: systemClock, fetch: originGuard(origins, fetch), secret }, 'api_gateway');
}

describe.each(['kong', 'apigee'] as const)('behind a real gateway that speaks as %s', (manner) => {
  describe.skipIf(missing !== undefined)(titled('the connector', missing), () => {
    let upstream: PlaneDouble;
    let gateway: Gateway;

    beforeAll(async () => {
      upstream = await startPlaneDouble(say(200, { id: 'ext-1' }));
      const keys = { [KEY]: 'tenant-a', [RARE_KEY]: 'rare' };
      gateway = await startGateway({ manner, upstream: upstream.url, keys, rare: 'rare' });
    });
    beforeEach(async () => {
      upstream.manner = say(200, { id: 'ext-1' });
      await gateway.hasTarget(true);
    });
    afterAll(async () => {
      await gateway.close();
      await upstream.close();
    });

    const run = (change = {}, key: string | undefined = KEY) =>
      connectorTo(manner, gateway, key).run({ ...action, ...change }, connectorCall());
    const failure = (change = {}) => failureOf(run(change));

    test('is known by its key, which the upstream never sees', async () => {
      const before = upstream.visits.length;
      const call = connectorCall();
      const result = await connectorTo(manner, gateway, KEY).run(action, call);
      expect(result).toMatchObject({ kind: 'completed', externalId: 'ext-1' });
      expect(result.vendorRequestId).toMatch(/^[0-9a-f]{32}$/);
      const [visit, ...others] = upstream.visits.slice(before);
      expect(others).toEqual([]);
      expect(visit).toMatchObject({ method: 'PATCH', path: '/crm/v1/customers/cust_1042' });
      expect(visit?.headers).toMatchObject({
        'idempotency-key': call.idempotencyKey,
        'x-consumer-username': 'tenant-a',
        'x-tenant-id': 'acme',
      });
      expect(JSON.stringify(visit)).not.toContain(KEY);
    });

    test.each([
      ['no key', undefined],
      ['a wrong key', 'key-of-nobody'],
    ])('is refused with %s, by the gateway', async (_what, key) => {
      const before = upstream.visits.length;
      const connector = connectorTo(manner, gateway, key);
      const error = await failureOf(connector.run(action, connectorCall()));
      expect(error).toMatchObject({ fault: 'auth', vendorCode: expect.stringContaining('HTTP 401') });
      expect(`${error.message} ${error.vendorCode}`).not.toContain(key ?? KEY);
      expect(upstream.visits.length).toBe(before);
    });

    test('is throttled at its limit, and told for how long', async () => {
      const before = upstream.visits.length;
      const connector = connectorTo(manner, gateway, RARE_KEY);
      expect(await connector.run(action, connectorCall())).toMatchObject({ kind: 'completed' });
      const error = await failureOf(connector.run(action, connectorCall()));
      expect(error).toMatchObject({ fault: 'throttled', retryAfterMs: 3_000 });
      expect(upstream.visits.length - before).toBe(1);
    });

    test('knows a 503 of the gateway, which nobody behind it has seen, from one of the upstream', async () => {
      await gateway.hasTarget(false);
      const before = upstream.visits.length;
      expect(await failure()).toMatchObject({ fault: 'unavailable', vendorCode: expect.stringContaining('HTTP 503') });
      expect(upstream.visits.length).toBe(before);
      await gateway.hasTarget(true);
      upstream.manner = say(503);
      expect(await failure()).toMatchObject({ fault: 'ambiguous', vendorCode: expect.stringContaining('HTTP 503') });
      expect(upstream.visits.length).toBe(before + 1);
    });

    test('does not know what became of it when the upstream breaks off or says nothing', async () => {
      for (const broken of [breakOff, hang]) {
        const before = upstream.visits.length;
        upstream.manner = broken;
        expect(await failure()).toMatchObject({ fault: 'ambiguous' });
        expect(upstream.visits.length).toBe(before + 1);
      }
    });

    test('is told what is too large before anything of it goes on', async () => {
      const before = upstream.visits.length;
      const data = { note: 'x'.repeat(MAX_BODY_BYTES) };
      expect(await failure({ data })).toMatchObject({ fault: 'too_large' });
      expect(upstream.visits.length).toBe(before);
    });

    test('finds the gateway healthy whatever is behind it', async () => {
      await gateway.hasTarget(false);
      expect(await connectorTo(manner, gateway, KEY).health(new AbortController().signal)).toEqual({
        status: 'healthy',
      });
    });
  });
});

const faults: Readonly<Record<string, { fault: Fault; manner?: PlaneManner }>> = {
  'has no target': { fault: 'unavailable' },
  'finds its upstream breaking off': { fault: 'ambiguous', manner: breakOff },
  'finds its upstream silent': { fault: 'ambiguous', manner: hang },
  'brings a refusal of its upstream': { fault: 'rejected', manner: say(409) },
};
if (missing === undefined) {
  for (const [manner, name] of [
    ['kong', 'the Kong connector behind a real gateway'],
    ['apigee', 'the Apigee connector behind a real gateway'],
  ] as const) {
    connectorContract(name, Object.keys(faults), async () => {
      const good = say(200, { id: 'ext-1' });
      const upstream = await startPlaneDouble(good);
      const gateway = await startGateway({ manner, upstream: upstream.url, keys: { [KEY]: 'tenant-a' } });
      return {
        connector: connectorTo(manner, gateway, KEY),
        action,
        kind: 'completed',
        secrets: [KEY],
        faults: Object.entries(faults).map(([when, { fault, manner: upstreamManner }]) => ({
          when,
          fault,
          async inject() {
            if (upstreamManner === undefined) await gateway.hasTarget(false);
            else upstream.manner = upstreamManner;
          },
        })),
        keys: () => upstream.visits.map(({ headers }) => String(headers['idempotency-key'])),
        async heal() {
          upstream.manner = good;
          await gateway.hasTarget(true);
        },
        async leave() {
          await gateway.close();
          await upstream.close();
        },
      };
    });
  }
}
