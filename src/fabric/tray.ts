/**
 * Tray.ai. A workflow's webhook: plain (2xx says that the workflow began) or *await workflow and respond* (the answer is
 * the workflow's own, after up to five minutes). Neither does a key once by itself; where the workflow's author stores
 * it, the plane says `dedupes`.
 */
import { z } from 'zod';
import { authentication, originsOf } from './authentication.ts';
import { baseAddress } from './base-address.ts';
import { ConnectorError, type ConnectorParts, type PlaneConnector } from './connector.ts';
import { connectorKind } from './connector-kind.ts';
import { textAt } from './exchange.ts';
import { addressBelow, bindingOf, createHttpConnector, pathOf } from './http-connector.ts';
import { recipeBody } from './message.ts';
import type { PlaneKind } from './plane.ts';

const MAX_BYTES = 1024 * 1024;

const settings = z.strictObject({
  mode: z.enum(['webhook', 'await']).default('webhook'),
  /** `https://{recipe}.trigger.tray.io`: `{recipe}` stands for the workflow's uuid, from the binding. */
  trigger_url: z.string().default('https://{recipe}.trigger.tray.io'),
  /** The access control of the triggers, when they have any. */
  auth: authentication.default({ type: 'none' }),
  /** What to ask how the plane is. */
  health_url: baseAddress.default('https://api.tray.io'),
  dedupes: z.boolean().default(false),
});
type Settings = z.output<typeof settings>;

export const tray = connectorKind({
  settings,
  origins: ({ trigger_url: url, auth, health_url: health }) => [
    // `*` stands for one label: workflows are told apart by the host's name.
    new URL(url.replace('{recipe}', 'any')).origin.replace('//any.', '//*.'),
    new URL(health).origin,
    ...originsOf(auth),
  ],
  create: createTray,
});

function createTray(given: Settings, parts: ConnectorParts, plane: PlaneKind): PlaneConnector {
  return createHttpConnector(
    {
      plane,
      vendor: 'tray',
      dedupes: given.dedupes,
      auth: given.auth,
      request(action, { idempotencyKey }) {
        const binding = bindingOf(action, 'recipe');
        const body = JSON.stringify(recipeBody(action, binding, idempotencyKey));
        if (Buffer.byteLength(body) > MAX_BYTES) {
          throw new ConnectorError('too_large', `the action is larger than the ${MAX_BYTES} bytes that Tray takes`);
        }
        if (!/^[A-Za-z0-9_-]{1,63}$/.test(binding.recipe)) {
          throw new ConnectorError('invalid', `"${binding.recipe}" is no workflow's uuid`);
        }
        const base = given.trigger_url.replace('{recipe}', binding.recipe);
        return { method: 'POST', url: addressBelow(base, pathOf(binding.path ?? '/', action)), headers: {}, body };
      },
      result({ data }) {
        const externalId = textAt(data, '/execution_id') ?? textAt(data, '/id');
        return {
          kind: given.mode === 'await' ? 'completed' : 'accepted',
          ...(externalId !== undefined && { externalId }),
          ...(data !== undefined && { data }),
        };
      },
      requestId: ({ headers }) => headers['x-request-id'],
      healthUrl: given.health_url,
    },
    parts,
  );
}
