/**
 * What the connectors that speak HTTP share: one request with our headers and who we are, one reading of the answer.
 * What is each vendor's own (address, body, signs of who answered, what a success is) comes from its file.
 */
import type { JsonValue } from '../core/json.ts';
import type { Action } from './action.ts';
import { methodOf } from './action.ts';
import { type Authentication, createAuthenticator } from './authentication.ts';
import type { Binding, HttpMethod } from './binding.ts';
import {
  type ConnectorCall,
  ConnectorError,
  type ConnectorParts,
  type ConnectorResult,
  type Outcome,
  type PlaneConnector,
  type RoutedAction,
} from './connector.ts';
import { exchange, faultOf, type PlaneAnswer, type PlaneRequest, succeeded } from './exchange.ts';
import { callHeaders } from './message.ts';
import type { PlaneHealth, PlaneKind, Vendor } from './plane.ts';

export interface HttpDialect {
  readonly plane: PlaneKind;
  readonly vendor: Vendor;
  readonly dedupes: boolean;
  readonly auth: Authentication;
  /** The request of an action, without our own headers and without who we are. @throws ConnectorError `invalid` */
  request(action: RoutedAction, call: ConnectorCall): PlaneRequest;
  /** What an answer with a status of success means. @throws ConnectorError */
  result(answer: PlaneAnswer, action: RoutedAction): ConnectorResult;
  /** What an answer without success means where its status alone does not say it; undefined: the usual. */
  fault?(
    answer: PlaneAnswer,
  ): { readonly answeredByPlane?: boolean; readonly code?: string } | ConnectorError | undefined;
  /** What the vendor calls the request. */
  requestId?(answer: PlaneAnswer): string | undefined;
  outcome?(
    ask: (request: PlaneRequest) => Promise<PlaneAnswer>,
    action: RoutedAction,
    call: ConnectorCall,
  ): Promise<Outcome>;
  /** What to ask for to see how the plane is. */
  readonly healthUrl: string;
}

const HEALTH_TIMEOUT_MS = 5_000;

export function createHttpConnector(dialect: HttpDialect, parts: ConnectorParts): PlaneConnector {
  const { clock } = parts;
  const authenticator = createAuthenticator(dialect.auth, parts);

  async function send(request: PlaneRequest, call: ConnectorCall, own: Record<string, string>): Promise<PlaneAnswer> {
    const credentials = await authenticator.headers(request.body ?? '', call);
    const json = request.body === undefined ? {} : { 'content-type': 'application/json' };
    const headers = { accept: 'application/json', ...json, ...own, ...request.headers, ...credentials };
    return exchange(parts, { ...request, headers }, call);
  }

  function failureOf(answer: PlaneAnswer): ConnectorError {
    const vendorRequestId = dialect.requestId?.(answer);
    const own = dialect.fault?.(answer);
    const error = own instanceof ConnectorError ? own : faultOf(answer, clock.now(), own);
    // Nothing was done: with a new token it may be accepted.
    const fault = error.fault === 'auth' && authenticator.refused() ? 'throttled' : error.fault;
    const { retryAfterMs, vendorCode } = error;
    return new ConnectorError(fault, error.message, { retryAfterMs, vendorCode, vendorRequestId });
  }

  return {
    plane: dialect.plane,
    vendor: dialect.vendor,
    dedupes: dialect.dedupes,
    async run(action, call) {
      const answer = await send(dialect.request(action, call), call, callHeaders(action, call.idempotencyKey));
      if (!succeeded(answer)) throw failureOf(answer);
      const vendorRequestId = dialect.requestId?.(answer);
      return { ...dialect.result(answer, action), ...(vendorRequestId !== undefined && { vendorRequestId }) };
    },
    ...(dialect.outcome !== undefined && {
      outcome: async (action: RoutedAction, call: ConnectorCall) =>
        (await dialect.outcome?.((request) => send(request, call, {}), action, call)) ?? { kind: 'unknown' as const },
    }),
    async health(signal) {
      try {
        const request = { method: 'GET', url: dialect.healthUrl, headers: {} } as const;
        const answer = await exchange(parts, request, { deadline: clock.now() + HEALTH_TIMEOUT_MS, signal });
        return healthOf(answer);
      } catch (thrown) {
        const detail = thrown instanceof ConnectorError ? thrown.vendorCode : undefined;
        return { status: 'down', ...(detail !== undefined && { detail }) };
      }
    },
    async close() {},
  };
}

/** Whoever answers at all, be it with a refusal, is there; who cannot work says so. */
function healthOf({ status }: PlaneAnswer): PlaneHealth {
  if (status >= 500) return { status: 'down', detail: `HTTP ${status}` };
  return status === 429 ? { status: 'degraded', detail: 'HTTP 429' } : { status: 'healthy' };
}

/** `{id}` and `{target}` of a path, in the form a path takes. @throws ConnectorError `invalid` when the id is missing */
export function pathOf(template: string, action: Action): string {
  return template.replaceAll(/\{(id|target|entity_type)\}/g, (_whole, name: string) => {
    if (name === 'target') return action.target;
    const value = name === 'id' ? action.entityId : action.entityType;
    // A dot or two would name another path than the one that is bound.
    if (value === undefined || value === '' || /^\.{1,2}$/.test(value)) {
      throw new ConnectorError(
        'invalid',
        `the path ${template} needs the action's ${name === 'id' ? 'entity_id' : name}`,
      );
    }
    return encodeURIComponent(value.toWellFormed());
  });
}

/** An address below a base address. */
export function addressBelow(base: string, path: string): string {
  return `${base.replace(/\/+$/, '')}/${path.replace(/^\/+/, '')}`;
}

/** The call of an action on a system's own API: reads put their data into the query, the rest into the body. */
export function systemRequest(
  base: string,
  { path, method }: { readonly path: string; readonly method?: HttpMethod | undefined },
  action: RoutedAction,
): PlaneRequest {
  const verb = method ?? methodOf(action.type);
  const url = new URL(addressBelow(base, pathOf(path, action)));
  if (verb !== 'GET' && verb !== 'DELETE') {
    return { method: verb, url: url.href, headers: {}, body: JSON.stringify(action.data) };
  }
  for (const [name, value] of Object.entries(action.data)) url.searchParams.set(name, queryText(value));
  return { method: verb, url: url.href, headers: {} };
}

function queryText(value: JsonValue): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** The binding as the kind a plane takes. @throws ConnectorError `invalid` */
export function bindingOf<Kind extends Binding['kind']>(
  action: RoutedAction,
  kind: Kind,
): Extract<Binding, { readonly kind: Kind }> {
  const { binding } = action;
  if (isOfKind(binding, kind)) return binding;
  throw new ConnectorError('invalid', `the plane ${action.plane} takes a ${kind} binding, not a ${binding.kind}`);
}

function isOfKind<Kind extends Binding['kind']>(
  binding: Binding,
  kind: Kind,
): binding is Extract<Binding, { readonly kind: Kind }> {
  return binding.kind === kind;
}
