import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { createGuardedFetch } from '../../src/egress/guarded-fetch.ts';
import { apigee } from '../../src/fabric/apigee.ts';
import type { Binding } from '../../src/fabric/binding.ts';
import { celigo } from '../../src/fabric/celigo.ts';
import type { ConnectorParts, Fault, PlaneConnector, RoutedAction } from '../../src/fabric/connector.ts';
import { anyKind } from '../../src/fabric/connector-kind.ts';
import { http } from '../../src/fabric/http.ts';
import { kong } from '../../src/fabric/kong.ts';
import { originGuard } from '../../src/fabric/origin-guard.ts';
import type { PlaneKind } from '../../src/fabric/plane.ts';
import { createSecretReader } from '../../src/fabric/secret.ts';
import { tray } from '../../src/fabric/tray.ts';
import { workato } from '../../src/fabric/workato.ts';
import { connectorCall, routedAction } from '../support/connector.ts';
import {
  babble,
  breakOff,
  hang,
  type PlaneDouble,
  type PlaneManner,
  say,
  startPlaneDouble,
} from '../support/plane-double.ts';
import { type ContractName, type ContractPeer, connectorContract, type PeerFault } from './connector-contract.ts';

const SECRET = 'correct-horse-battery-staple';
const fetch = createGuardedFetch({ clock: systemClock, allow: ['127.0.0.0/8'] });
const recipe: Binding = { kind: 'recipe', recipe: 'recipe_1' };
const proxy: Binding = { kind: 'proxy', route: 'r', path: '/crm/v1/customers/{id}' };
const callPath: Binding = { kind: 'call', path: '/api/v1/{target}/{id}' };

/** A connector as the fleet makes it: with its own origins and nothing else to reach. */
function open(kind: ReturnType<typeof anyKind>, settings: JsonObject, plane: PlaneKind, env = SECRET): PlaneConnector {
  const { origins, create } = kind.open(settings);
  const parts: ConnectorParts = {
    clock: systemClock,
    fetch: originGuard(origins, fetch),
    secret: createSecretReader((name) => (name === 'KEY' ? env : undefined)),
  };
  return create(parts, plane);
}

const ways: Readonly<Record<string, { manner: PlaneManner; fault: Fault; retryAfterMs?: number; timeMs?: number }>> = {
  'resets after the request': { manner: breakOff, fault: 'ambiguous' },
  'says nothing': { manner: hang, fault: 'ambiguous', timeMs: 150 },
  'answers what is not HTTP': { manner: babble, fault: 'ambiguous' },
  'answers 400': { manner: say(400), fault: 'invalid' },
  'answers 401': { manner: say(401), fault: 'auth' },
  'answers 403': { manner: say(403), fault: 'auth' },
  'answers 404': { manner: say(404), fault: 'invalid' },
  'answers 409': { manner: say(409), fault: 'rejected' },
  'answers 413': { manner: say(413), fault: 'too_large' },
  'answers 422': { manner: say(422), fault: 'invalid' },
  'answers 429 with Retry-After': {
    manner: say(429, {}, { 'retry-after': '7' }),
    fault: 'throttled',
    retryAfterMs: 7000,
  },
  'answers 500': { manner: say(500), fault: 'ambiguous' },
  'answers 502': { manner: say(502), fault: 'ambiguous' },
  'answers 503': { manner: say(503), fault: 'ambiguous' },
  'answers 504': { manner: say(504), fault: 'ambiguous' },
  'leads elsewhere': { manner: say(302, {}, { location: 'https://example.com/' }), fault: 'invalid' },
};

interface PeerSpec {
  readonly kind: ReturnType<typeof anyKind>;
  readonly plane: PlaneKind;
  readonly binding: Binding;
  readonly result: 'accepted' | 'completed';
  readonly settings: (url: string) => JsonObject;
  /** Whether the peer believes who we say we are. */
  readonly knows: (headers: Readonly<Record<string, unknown>>, text: string, path: string) => boolean;
}

const specs = {
  'the Workato webhook connector': {
    kind: anyKind(workato),
    plane: 'ipaas',
    binding: recipe,
    result: 'accepted',
    settings: (url) => ({ mode: 'webhook', base_url: url, webhook_account: { $env: 'KEY' } }),
    knows: (headers, _text, path) =>
      path === `/webhooks/rest/${SECRET}/recipe_1` && headers['x-workato-dedup'] === headers['idempotency-key'],
  },
  'the Workato API recipe connector': {
    kind: anyKind(workato),
    plane: 'ipaas',
    binding: { ...recipe, path: '/crm/customers/{id}' },
    result: 'completed',
    settings: (url) => ({ mode: 'api', base_url: url, api_token: { $env: 'KEY' } }),
    knows: (headers, _text, path) => headers['api-token'] === SECRET && path === '/crm/customers/cust_1042',
  },
  'the Tray connector': {
    kind: anyKind(tray),
    plane: 'ipaas',
    binding: recipe,
    result: 'accepted',
    settings: (url) => ({ trigger_url: url, health_url: url, auth: { type: 'bearer', token: { $env: 'KEY' } } }),
    knows: (headers) => headers['authorization'] === `Bearer ${SECRET}`,
  },
  'the Celigo listener connector': {
    kind: anyKind(celigo),
    plane: 'ipaas',
    binding: recipe,
    result: 'accepted',
    settings: (url) => ({
      base_url: url,
      auth: { type: 'hmac', secret: { $env: 'KEY' }, header: 'x-hub-signature', prefix: 'sha256=' },
    }),
    knows: (headers, text, path) =>
      path === '/v1/exports/recipe_1/data' &&
      headers['x-hub-signature'] === `sha256=${createHmac('sha256', SECRET).update(text).digest('hex')}`,
  },
  'the Kong connector': {
    kind: anyKind(kong),
    plane: 'api_gateway',
    binding: proxy,
    result: 'completed',
    settings: (url) => ({ base_url: url, auth: { type: 'header', name: 'apikey', value: { $env: 'KEY' } } }),
    knows: (headers, _text, path) => headers['apikey'] === SECRET && path === '/crm/v1/customers/cust_1042',
  },
  'the Apigee connector': {
    kind: anyKind(apigee),
    plane: 'api_gateway',
    binding: proxy,
    result: 'completed',
    settings: (url) => ({ base_url: url, auth: { type: 'header', name: 'x-apikey', value: { $env: 'KEY' } } }),
    knows: (headers) => headers['x-apikey'] === SECRET,
  },
  'the direct HTTP connector': {
    kind: anyKind(http),
    plane: 'direct',
    binding: callPath,
    result: 'completed',
    settings: (url) => ({ base_url: url, auth: { type: 'basic', username: 'aos', password: { $env: 'KEY' } } }),
    knows: (headers, _text, path) =>
      path === '/api/v1/crm/cust_1042' &&
      headers['authorization'] === `Basic ${Buffer.from(`aos:${SECRET}`).toString('base64')}`,
  },
  'the custom HTTP connector': {
    kind: anyKind(http),
    plane: 'custom',
    binding: { ...callPath, method: 'PUT' },
    result: 'completed',
    settings: (url) => ({
      base_url: url,
      auth: { type: 'hmac', secret: { $env: 'KEY' }, algorithm: 'sha512', encoding: 'base64' },
      success: { pointer: '/id', values: ['ext-1'] },
    }),
    knows: (headers, text, path) =>
      path === '/api/v1/crm/cust_1042' &&
      headers['x-signature'] === createHmac('sha512', SECRET).update(text).digest('base64'),
  },
} satisfies Partial<Record<ContractName, PeerSpec>>;

function actionFor(plane: PlaneKind, binding: Binding): RoutedAction {
  return routedAction({ plane: plane === 'custom' ? 'custom_x' : plane, binding });
}

for (const [name, spec] of Object.entries(specs) as [keyof typeof specs, PeerSpec][]) {
  connectorContract(name, Object.keys(ways), async (): Promise<ContractPeer> => {
    const good: PlaneManner = (response, { headers, text, path }) =>
      spec.knows(headers, text, path)
        ? say(200, { id: 'ext-1' })(response, { method: '', path, headers, text })
        : say(401)(response, { method: '', path, headers, text });
    const double = await startPlaneDouble(good);
    const faults: PeerFault[] = Object.entries(ways).map(([when, { manner, ...expected }]) => ({
      when,
      ...expected,
      inject: () => {
        double.manner = manner;
      },
    }));
    return {
      connector: open(spec.kind, spec.settings(double.url), spec.plane),
      action: actionFor(spec.plane, spec.binding),
      kind: spec.result,
      faults,
      secrets: [SECRET],
      keys: () => double.visits.filter(({ method }) => method !== 'GET').map(({ headers }) => keyOf(headers)),
      heal: () => {
        double.manner = good;
      },
      leave: () => double.close(),
    };
  });
}

function keyOf(headers: Readonly<Record<string, unknown>>): string | undefined {
  const key = headers['idempotency-key'];
  return typeof key === 'string' ? key : undefined;
}

async function withDouble(manner: PlaneManner, test: (double: PlaneDouble) => Promise<void>): Promise<void> {
  const double = await startPlaneDouble(manner);
  try {
    await test(double);
  } finally {
    await double.close();
  }
}

describe('who answered', () => {
  const fail = async (kind: ReturnType<typeof anyKind>, manner: PlaneManner): Promise<unknown> => {
    let thrown: unknown;
    await withDouble(manner, async ({ url }) => {
      const connector = open(kind, { base_url: url, auth: { type: 'none' } }, 'api_gateway');
      thrown = await connector.run(actionFor('api_gateway', proxy), connectorCall()).catch((error) => error);
    });
    return thrown;
  };

  it.each([
    ['Kong itself', { 'x-kong-response-latency': '1' }, 'unavailable'],
    ['the upstream', { 'x-kong-response-latency': '1', 'x-kong-upstream-latency': '3' }, 'ambiguous'],
    ['nobody knows who', {}, 'ambiguous'],
  ])('is told by Kong with its headers: a 503 of %s', async (_who, headers, fault) => {
    expect(await fail(anyKind(kong), say(503, {}, headers))).toMatchObject({ fault });
  });

  it.each([
    [500, 'policies.ratelimit.SpikeArrestViolation', 'throttled'],
    [429, 'policies.ratelimit.QuotaViolation', 'throttled'],
    [401, 'oauth.v2.InvalidApiKey', 'auth'],
    [503, 'messaging.adaptors.http.flow.NoActiveTargets', 'unavailable'],
    [504, 'messaging.adaptors.http.flow.GatewayTimeout', 'ambiguous'],
  ])('is told by Apigee with its error codes: %i %s', async (status, errorcode, fault) => {
    const body = { fault: { faultstring: 'x', detail: { errorcode } } };
    expect(await fail(anyKind(apigee), say(status, body))).toMatchObject({ fault });
  });
});

describe('an action on the wire', () => {
  it('carries who acts for whom, in headers and in the recipe', async () => {
    await withDouble(say(200), async ({ url, visits }) => {
      const connector = open(anyKind(celigo), { base_url: url, auth: { type: 'none' } }, 'ipaas');
      await connector.run(actionFor('ipaas', recipe), connectorCall(5_000, { idempotencyKey: 'key-1' }));
      expect(visits[0]?.headers).toMatchObject({
        'idempotency-key': 'key-1',
        'x-correlation-id': 'corr-1',
        'x-agent-id': 'cmo',
        'x-tenant-id': 'acme',
      });
      expect(JSON.parse(visits[0]?.text ?? '')).toEqual({
        recipe_id: 'recipe_1',
        recipe_name: 'recipe_1',
        idempotency_key: 'key-1',
        input: {
          entity_id: 'cust_1042',
          entity_type: 'customer',
          action_type: 'update',
          data: { customer_id: 'cust_1042', tier: 'gold' },
          correlation_id: 'corr-1',
          agent_id: 'cmo',
        },
        metadata: { tenant_id: 'acme', primary_plane_id: 'eventbus_acme', timestamp: '2026-02-01T10:00:00.000Z' },
      });
    });
  });

  it.each([
    ['create', 'POST', '/crm/v1/customers/cust_1042', true],
    ['read', 'GET', '/crm/v1/customers/cust_1042?customer_id=cust_1042&tier=gold', false],
    ['update', 'PATCH', '/crm/v1/customers/cust_1042', true],
    ['delete', 'DELETE', '/crm/v1/customers/cust_1042?customer_id=cust_1042&tier=gold', false],
  ] as const)('has the method of its type: %s is %s', async (type, method, path, hasBody) => {
    await withDouble(say(200), async ({ url, visits }) => {
      const connector = open(anyKind(kong), { base_url: url, auth: { type: 'none' } }, 'api_gateway');
      await connector.run({ ...actionFor('api_gateway', proxy), type }, connectorCall());
      expect(visits[0]).toMatchObject({ method, path });
      expect(visits[0]?.text !== '').toBe(hasBody);
    });
  });

  it.each(['', '..', '.', undefined])('is refused when its id would be another path: %j', async (entityId) => {
    await withDouble(say(200), async ({ url, visits }) => {
      const connector = open(anyKind(kong), { base_url: url, auth: { type: 'none' } }, 'api_gateway');
      const action = { ...actionFor('api_gateway', proxy), entityId };
      await expect(connector.run(action, connectorCall())).rejects.toMatchObject({ fault: 'invalid' });
      expect(visits).toEqual([]);
    });
  });

  it('stays below its binding whatever its id', async () => {
    await withDouble(say(200), async ({ url, visits }) => {
      const connector = open(anyKind(kong), { base_url: url, auth: { type: 'none' } }, 'api_gateway');
      await connector.run({ ...actionFor('api_gateway', proxy), entityId: '../../admin?x=1#y' }, connectorCall());
      expect(visits[0]?.path).toBe('/crm/v1/customers/..%2F..%2Fadmin%3Fx%3D1%23y');
    });
  });

  it('is not sent without its secret, and says which one is missing', async () => {
    await withDouble(say(200), async ({ url, visits }) => {
      const settings = { base_url: url, auth: { type: 'bearer', token: { $env: 'ABSENT' } } };
      const connector = open(anyKind(kong), settings, 'api_gateway');
      const failing = connector.run(actionFor('api_gateway', proxy), connectorCall());
      await expect(failing).rejects.toMatchObject({ fault: 'auth', message: expect.stringContaining('ABSENT') });
      expect(visits).toEqual([]);
    });
  });

  it('goes to no other origin than the configured one', async () => {
    await withDouble(say(200), async (other) => {
      const connector = open(anyKind(kong), { base_url: 'http://127.0.0.1:9', auth: { type: 'none' } }, 'api_gateway');
      const action = actionFor('api_gateway', { kind: 'proxy', route: 'r', path: `//${new URL(other.url).host}/x` });
      await connector.run(action, connectorCall()).catch(() => undefined);
      expect(other.visits).toEqual([]);
    });
  });
});

describe('an access token', () => {
  it('is asked for once, kept, and asked for anew when it is refused', async () => {
    let tokens = 0;
    let valid = '';
    const manner: PlaneManner = (response, visit) => {
      if (visit.path !== '/token') {
        return say(visit.headers.authorization === `Bearer ${valid}` ? 200 : 401)(response, visit);
      }
      tokens += 1;
      valid = `token-${tokens}`;
      return say(200, { access_token: valid, expires_in: 3600 })(response, visit);
    };
    await withDouble(manner, async ({ url }) => {
      const auth = {
        type: 'oauth2_client_credentials',
        token_url: `${url}/token`,
        client_id: 'aos',
        client_secret: { $env: 'KEY' },
      };
      const connector = open(anyKind(kong), { base_url: url, auth }, 'api_gateway');
      const run = () => connector.run(actionFor('api_gateway', proxy), connectorCall());
      await run();
      await run();
      expect(tokens).toBe(1);
      valid = 'revoked';
      // Nothing was done: the step may try again, with a new token.
      await expect(run()).rejects.toMatchObject({ fault: 'throttled' });
      expect(await run()).toMatchObject({ kind: 'completed' });
      expect(tokens).toBe(2);
    });
  });
});

describe('the custom connector', () => {
  const custom = (url: string, settings: JsonObject) =>
    open(anyKind(http), { base_url: url, auth: { type: 'none' }, ...settings }, 'custom');
  const run = (connector: PlaneConnector, ms = 5_000) =>
    connector.run(actionFor('custom', callPath), connectorCall(ms));

  it('holds an answer against its predicate', async () => {
    const settings = { success: { pointer: '/state', values: ['done'] }, external_id: '/ref/id' };
    await withDouble(say(200, { state: 'done', ref: { id: 7 } }), async ({ url }) => {
      expect(await run(custom(url, settings))).toMatchObject({ kind: 'completed', externalId: '7' });
    });
    await withDouble(say(200, { state: 'refused' }), async ({ url }) => {
      await expect(run(custom(url, settings))).rejects.toMatchObject({ fault: 'rejected' });
    });
  });

  const asynchronous = (final: string): PlaneManner => {
    let looks = 0;
    return (response, visit) => {
      if (!visit.path.startsWith('/jobs/')) return say(202, {}, { location: '/jobs/7' })(response, visit);
      looks += 1;
      return say(200, { status: looks < 3 ? 'running' : final })(response, visit);
    };
  };

  it('follows what was accepted to its end', async () => {
    await withDouble(asynchronous('completed'), async ({ url, visits }) => {
      expect(await run(custom(url, { async: { poll_ms: 10 } }))).toMatchObject({
        kind: 'completed',
        externalId: '/jobs/7',
      });
      expect(visits.filter(({ method }) => method === 'PATCH')).toHaveLength(1);
    });
    await withDouble(asynchronous('failed'), async ({ url }) => {
      await expect(run(custom(url, { async: { poll_ms: 10 } }))).rejects.toMatchObject({ fault: 'rejected' });
    });
  });

  it('leaves as accepted what does not end in time, or ends elsewhere', async () => {
    await withDouble(asynchronous('running'), async ({ url }) => {
      expect(await run(custom(url, { async: { poll_ms: 20 } }), 200)).toMatchObject({ kind: 'accepted' });
    });
    await withDouble(say(202, {}, { location: 'https://example.com/jobs/7' }), async ({ url, visits }) => {
      expect(await run(custom(url, { async: { poll_ms: 10 } }))).toMatchObject({ kind: 'accepted' });
      expect(visits).toHaveLength(1);
    });
  });
});
