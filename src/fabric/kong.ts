/**
 * Kong. Our calls are proxied; the key goes in one place only, because two of them are refused. Whether Kong itself or
 * the system behind it answered is told by its latency headers: with `X-Kong-Response-Latency` alone it was Kong.
 */
import { z } from 'zod';
import { authentication, originsOf } from './authentication.ts';
import { baseAddress } from './base-address.ts';
import type { ConnectorParts, PlaneConnector } from './connector.ts';
import { connectorKind } from './connector-kind.ts';
import { textAt } from './exchange.ts';
import { bindingOf, createHttpConnector, systemRequest } from './http-connector.ts';
import type { PlaneKind } from './plane.ts';

const settings = z.strictObject({
  /** The proxy, not the admin API. */
  base_url: baseAddress,
  /** key-auth is `{"type": "header", "name": "apikey", "value": {"$env": …}}`. */
  auth: authentication,
  /** Whether what is behind it does an idempotency key once. */
  dedupes: z.boolean().default(false),
});
type Settings = z.output<typeof settings>;

export const kong = connectorKind({
  settings,
  origins: ({ base_url: base, auth }) => [new URL(base).origin, ...originsOf(auth)],
  create: createKong,
});

function createKong(given: Settings, parts: ConnectorParts, plane: PlaneKind): PlaneConnector {
  return createHttpConnector(
    {
      plane,
      vendor: 'kong',
      dedupes: given.dedupes,
      auth: given.auth,
      request: (action) => systemRequest(given.base_url, bindingOf(action, 'proxy'), action),
      result({ data, status }) {
        const externalId = textAt(data, '/id');
        return {
          kind: status === 202 ? 'accepted' : 'completed',
          ...(externalId !== undefined && { externalId }),
          ...(data !== undefined && { data }),
        };
      },
      fault: ({ headers, status }) => ({
        // 502 and 504 of Kong's own making still mean that the upstream may have seen the request.
        answeredByPlane:
          status === 503 &&
          headers['x-kong-response-latency'] !== undefined &&
          headers['x-kong-upstream-latency'] === undefined,
      }),
      requestId: ({ headers }) => headers['x-kong-request-id'],
      healthUrl: given.base_url,
    },
    parts,
  );
}
