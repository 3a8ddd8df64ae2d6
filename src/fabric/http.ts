/**
 * Plain HTTP: the direct plane of preset 6, and custom planes. What a custom target wants is written down in its
 * settings: where, who we are, what a success is, and whether a 202 names an address at which the end can be seen.
 */
import { z } from 'zod';
import type { JsonValue } from '../core/json.ts';
import { authentication, createAuthenticator, originsOf } from './authentication.ts';
import { baseAddress } from './base-address.ts';
import { ConnectorError, type ConnectorParts, type ConnectorResult, type PlaneConnector } from './connector.ts';
import { connectorKind } from './connector-kind.ts';
import { exchange, type PlaneAnswer, succeeded, textAt } from './exchange.ts';
import { bindingOf, createHttpConnector, systemRequest } from './http-connector.ts';
import type { PlaneKind } from './plane.ts';

const pointer = z.string().regex(/^(?:\/[^/]{1,100}){1,10}$/, { error: 'must be a JSON pointer such as /result/id' });

const settings = z.strictObject({
  base_url: baseAddress,
  auth: authentication.default({ type: 'none' }),
  /** Besides a status of 2xx: the member of the answer that must be one of these texts. */
  success: z.strictObject({ pointer, values: z.array(z.string()).min(1).max(20) }).optional(),
  /** The member that is the id of what was done. */
  external_id: pointer.default('/id'),
  /** A 202 is followed to its end at the address it names (`Location`, or this member of the body). */
  async: z
    .strictObject({
      status_url: pointer.optional(),
      status: pointer.default('/status'),
      done: z.array(z.string()).min(1).default(['completed', 'succeeded', 'done']),
      failed: z.array(z.string()).default(['failed', 'error', 'cancelled']),
      poll_ms: z.int().min(10).max(60_000).default(1_000),
    })
    .optional(),
  /** Asked for to see how the plane is; the base address by default. */
  health_path: z.string().max(500).optional(),
  dedupes: z.boolean().default(false),
});
type Settings = z.output<typeof settings>;

export const http = connectorKind({
  settings,
  origins: ({ base_url: base, auth }) => [new URL(base).origin, ...originsOf(auth)],
  create: createHttp,
});

function createHttp(given: Settings, parts: ConnectorParts, plane: PlaneKind): PlaneConnector {
  const { base_url: base, async: following } = given;
  const connector = createHttpConnector(
    {
      plane,
      vendor: 'http',
      dedupes: given.dedupes,
      auth: given.auth,
      request: (action) => systemRequest(base, bindingOf(action, 'call'), action),
      result: (answer) => resultOf(answer, given),
      requestId: ({ headers }) => headers['x-request-id'],
      healthUrl:
        given.health_path === undefined ? base : `${base.replace(/\/+$/, '')}/${given.health_path.replace(/^\/+/, '')}`,
    },
    parts,
  );
  if (following === undefined) return connector;

  const authenticator = createAuthenticator(given.auth, parts);
  const { clock } = parts;
  return {
    ...connector,
    async run(action, call) {
      const result = await connector.run(action, call);
      const url = result.kind === 'accepted' ? statusUrl(result, given) : undefined;
      if (url === undefined) return result;
      // It is taken whatever happens here: not seeing its end is no failure of it.
      for (;;) {
        if (clock.now() + following.poll_ms >= call.deadline) return result;
        await clock.sleep(following.poll_ms, call.signal);
        const headers = { accept: 'application/json', ...(await authenticator.headers('', call)) };
        const answer = await exchange(parts, { method: 'GET', url, headers }, call).catch(() => undefined);
        if (answer === undefined || !succeeded(answer)) continue;
        const status = textAt(answer.data, following.status);
        if (status !== undefined && following.done.includes(status)) return completed(result, answer.data);
        if (status !== undefined && following.failed.includes(status)) {
          throw new ConnectorError('rejected', 'the target took the action and then failed at it', {
            vendorCode: status,
          });
        }
      }
    },
  };
}

function resultOf({ data, headers, status }: PlaneAnswer, given: Settings): ConnectorResult {
  const { success, external_id } = given;
  if (success !== undefined && status !== 202) {
    const word = textAt(data, success.pointer);
    if (word === undefined || !success.values.includes(word)) {
      throw new ConnectorError(
        'rejected',
        `the target answered ${status} and "${(word ?? 'nothing').slice(0, 50)}" at ${success.pointer}`,
        {
          vendorCode: `HTTP ${status}`,
        },
      );
    }
  }
  const externalId = textAt(data, external_id) ?? (status === 202 ? headers['location'] : undefined);
  return {
    kind: status === 202 ? 'accepted' : 'completed',
    ...(externalId !== undefined && { externalId }),
    ...(data !== undefined && { data }),
  };
}

/** Where the end of what was accepted can be seen; only on the plane's own origin. */
function statusUrl(
  { data, externalId }: ConnectorResult,
  { base_url: base, async: following }: Settings,
): string | undefined {
  const named = following?.status_url === undefined ? externalId : textAt(data, following.status_url);
  const url = named === undefined ? null : URL.parse(named, base);
  return url !== null && url.origin === new URL(base).origin ? url.href : undefined;
}

function completed(accepted: ConnectorResult, data: JsonValue | undefined): ConnectorResult {
  return { ...accepted, kind: 'completed', ...(data !== undefined && { data }) };
}
