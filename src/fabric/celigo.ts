/**
 * Celigo integrator.io. Three ways in: a *listener* (a webhook export; accepted), a *custom API* (its author's answer;
 * completed) and a *flow* (started, then its job can be asked about).
 */
import { z } from 'zod';
import { authentication, originsOf } from './authentication.ts';
import { baseAddress } from './base-address.ts';
import type { ConnectorParts, PlaneConnector } from './connector.ts';
import { connectorKind } from './connector-kind.ts';
import { textAt } from './exchange.ts';
import { addressBelow, bindingOf, createHttpConnector, pathOf } from './http-connector.ts';
import { recipeBody } from './message.ts';
import type { PlaneKind } from './plane.ts';

const settings = z.strictObject({
  mode: z.enum(['listener', 'api', 'flow']).default('listener'),
  base_url: baseAddress.default('https://api.integrator.io'),
  /** A bearer token for APIs and flows; what the listener verifies (`hmac`, `header`, `basic`, `none` for a secret URL). */
  auth: authentication,
  dedupes: z.boolean().default(false),
});
type Settings = z.output<typeof settings>;

const paths: Readonly<Record<Settings['mode'], string>> = {
  listener: '/v1/exports/{recipe}/data',
  api: '/{recipe}',
  flow: '/v1/flows/{recipe}/run',
};

export const celigo = connectorKind({
  settings,
  origins: ({ base_url: base, auth }) => [new URL(base).origin, ...originsOf(auth)],
  create: createCeligo,
});

function createCeligo(given: Settings, parts: ConnectorParts, plane: PlaneKind): PlaneConnector {
  const { mode, base_url: base } = given;
  return createHttpConnector(
    {
      plane,
      vendor: 'celigo',
      dedupes: given.dedupes,
      auth: given.auth,
      request(action, { idempotencyKey }) {
        const binding = bindingOf(action, 'recipe');
        const path = binding.path ?? paths[mode].replace('{recipe}', encodeURIComponent(binding.recipe));
        const body = JSON.stringify(recipeBody(action, binding, idempotencyKey));
        return { method: 'POST', url: addressBelow(base, pathOf(path, action)), headers: {}, body };
      },
      result({ data, status }) {
        const externalId = textAt(data, '/_jobId') ?? textAt(data, '/_id') ?? textAt(data, '/0/_jobId');
        return {
          kind: mode === 'api' && status !== 202 ? 'completed' : 'accepted',
          ...(externalId !== undefined && { externalId }),
          ...(data !== undefined && { data }),
        };
      },
      requestId: ({ headers }) => headers['x-request-id'],
      healthUrl: base,
    },
    parts,
  );
}
