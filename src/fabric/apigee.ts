/**
 * Apigee. Our calls are proxied; the key goes where the VerifyAPIKey policy of the proxy reads it, or a token to its
 * OAuthV2 policy. Its own faults are told by their error code rather than by their status, which proxies customise.
 */
import { z } from 'zod';
import { authentication, originsOf } from './authentication.ts';
import { baseAddress } from './base-address.ts';
import { ConnectorError, type ConnectorParts, type PlaneConnector } from './connector.ts';
import { connectorKind } from './connector-kind.ts';
import { retryAfter, textAt } from './exchange.ts';
import { bindingOf, createHttpConnector, systemRequest } from './http-connector.ts';
import type { PlaneKind } from './plane.ts';

const settings = z.strictObject({
  base_url: baseAddress,
  /** Usually `{"type": "header", "name": "x-apikey", "value": {"$env": …}}`. */
  auth: authentication,
  dedupes: z.boolean().default(false),
});
type Settings = z.output<typeof settings>;

export const apigee = connectorKind({
  settings,
  origins: ({ base_url: base, auth }) => [new URL(base).origin, ...originsOf(auth)],
  create: createApigee,
});

function createApigee(given: Settings, parts: ConnectorParts, plane: PlaneKind): PlaneConnector {
  const { clock } = parts;
  return createHttpConnector(
    {
      plane,
      vendor: 'apigee',
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
      fault({ data, headers, status }) {
        const code = textAt(data, '/fault/detail/errorcode');
        if (code === undefined) return undefined;
        const vendorCode = `HTTP ${status} ${code.slice(0, 100)}`;
        const retryAfterMs = retryAfter(headers['retry-after'], clock.now());
        // Older proxies say 500 for their rate limits.
        if (/^policies\.ratelimit\./.test(code)) {
          return new ConnectorError('throttled', `the plane takes no more for now (${vendorCode})`, {
            vendorCode,
            retryAfterMs,
          });
        }
        if (/oauth\.v2\.|apikey/i.test(code)) {
          return new ConnectorError('auth', `the plane does not accept who we say we are (${vendorCode})`, {
            vendorCode,
          });
        }
        // Its own fault about finding no target that works: nobody behind has seen the request.
        const answeredByPlane = status === 503 && /NoActiveTargets|TooManyConnections/i.test(code);
        return { answeredByPlane, code: code.slice(0, 100) };
      },
      requestId: ({ headers }) => headers['x-request-id'] ?? headers['x-apigee-message-id'],
      healthUrl: given.base_url,
    },
    parts,
  );
}
