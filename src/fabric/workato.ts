/**
 * Workato. Three ways in: a *webhook* (`mode: webhook`; its address is the secret, 2xx says that the event was taken, not
 * that a recipe ran), and an *API recipe* (`mode: api`; answers when the recipe has answered). The webhook does a
 * `X-Workato-Dedup` value once; an API recipe does so only when its author saw to it.
 */
import { z } from 'zod';
import { type Authentication, originsOf } from './authentication.ts';
import { baseAddress } from './base-address.ts';
import { ConnectorError, type ConnectorParts, type PlaneConnector } from './connector.ts';
import { connectorKind } from './connector-kind.ts';
import { textAt } from './exchange.ts';
import { addressBelow, bindingOf, createHttpConnector, pathOf } from './http-connector.ts';
import { recipeBody } from './message.ts';
import type { PlaneKind } from './plane.ts';
import { secretReference } from './secret-reference.ts';

const MAX_WEBHOOK_BYTES = 10 * 1024 * 1024;
const MAX_API_BYTES = 5 * 1024 * 1024;

const settings = z.strictObject({
  mode: z.enum(['webhook', 'api']).default('webhook'),
  /** Where the API platform is, or the host of the webhooks. */
  base_url: baseAddress.default('https://webhooks.workato.com'),
  /** The part of a webhook's path that is a secret: `<account-guid>`. */
  webhook_account: secretReference.optional(),
  /** For API recipes. */
  api_token: secretReference.optional(),
  auth_style: z.enum(['api-token', 'basic', 'bearer', 'oauth2']).default('api-token'),
  client_id: z.string().max(500).optional(),
  token_url: z.url({ protocol: /^https?$/ }).default('https://apim.workato.com/oauth2/token'),
  /** Whether the recipes do an idempotency key once; webhooks always do. */
  dedupes: z.boolean().optional(),
});
type Settings = z.output<typeof settings>;

export const workato = connectorKind({
  settings,
  origins: (given) => [new URL(given.base_url).origin, ...originsOf(authOf(given))],
  create: createWorkato,
});

function createWorkato(given: Settings, parts: ConnectorParts, plane: PlaneKind): PlaneConnector {
  const { mode, base_url: base } = given;
  const max = mode === 'webhook' ? MAX_WEBHOOK_BYTES : MAX_API_BYTES;
  return createHttpConnector(
    {
      plane,
      vendor: 'workato',
      dedupes: given.dedupes ?? mode === 'webhook',
      auth: authOf(given),
      request(action, { idempotencyKey }) {
        const binding = bindingOf(action, 'recipe');
        const body = JSON.stringify(recipeBody(action, binding, idempotencyKey));
        if (Buffer.byteLength(body) > max) {
          throw new ConnectorError('too_large', `the action is larger than the ${max} bytes that Workato takes`);
        }
        const url =
          mode === 'webhook'
            ? addressBelow(base, pathOf(webhookPath(given, binding.path ?? `/${binding.recipe}`, parts), action))
            : addressBelow(base, pathOf(binding.path ?? `/${binding.recipe}`, action));
        return { method: 'POST', url, headers: { 'x-workato-dedup': idempotencyKey }, body };
      },
      result({ data, status }) {
        const externalId = textAt(data, '/job_id') ?? textAt(data, '/id');
        const deduplicated = textAt(data, '/duplicate') === 'true';
        return {
          kind: mode === 'webhook' || status === 202 ? 'accepted' : 'completed',
          ...(externalId !== undefined && { externalId }),
          ...(data !== undefined && { data }),
          ...(deduplicated && { deduplicated }),
        };
      },
      requestId: ({ headers }) => headers['x-correlation-id'] ?? headers['x-request-id'],
      healthUrl: base,
    },
    parts,
  );
}

function webhookPath({ webhook_account: account }: Settings, path: string, { secret }: ConnectorParts): string {
  const guid = account === undefined ? '' : `/${encodeURIComponent(secret(account))}`;
  return `/webhooks/rest${guid}${path.startsWith('/') ? '' : '/'}${path}`;
}

function authOf({
  mode,
  api_token: token,
  auth_style: style,
  client_id: clientId,
  token_url,
}: Settings): Authentication {
  if (mode === 'webhook' || token === undefined) return { type: 'none' };
  switch (style) {
    case 'api-token':
      return { type: 'header', name: 'api-token', value: token, prefix: '' };
    case 'basic':
      return { type: 'basic', username: 'api-token', password: token };
    case 'bearer':
      return { type: 'bearer', token };
    case 'oauth2':
      return { type: 'oauth2_client_credentials', token_url, client_id: clientId ?? '', client_secret: token };
  }
}
