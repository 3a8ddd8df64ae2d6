/**
 * Which part of the protocol a path and method mean (protocol §4, §6.6–§6.8). Pure. A general router is of no use
 * here: the reference matches on the decoded path, answers 405 with the exact `allow`, and redirects a trailing slash,
 * and all three are part of the contract.
 */
export type Endpoint =
  | { readonly name: 'invoke' }
  | { readonly name: 'get' | 'cancel'; readonly pathId: string }
  | { readonly name: 'openapi' | 'asyncapi-json' | 'asyncapi-yaml' | 'readiness' };

export type Route =
  | { readonly kind: 'endpoint'; readonly endpoint: Endpoint }
  | { readonly kind: 'method-not-allowed'; readonly allow: string }
  | { readonly kind: 'redirect'; readonly path: string }
  | { readonly kind: 'unknown' };

const INVOKE: Endpoint = { name: 'invoke' };
const FIXED: Readonly<Record<string, Endpoint>> = {
  '/invocations': INVOKE,
  '/readiness': { name: 'readiness' },
  '/invocations/docs/openapi.json': { name: 'openapi' },
  '/invocations/docs/asyncapi.json': { name: 'asyncapi-json' },
  '/invocations/docs/asyncapi.yaml': { name: 'asyncapi-yaml' },
};
const BY_ID = /^\/invocations\/([^/]+)(\/cancel)?$/s;

const INVOKE_ROUTE: Route = { kind: 'endpoint', endpoint: INVOKE };
const UNKNOWN: Route = { kind: 'unknown' };

/** @param path the request's path, percent-decoded (`decodePath`), without the query */
export function matchRoute(method: string, path: string): Route {
  if (path === '/invocations' && method === 'POST') return INVOKE_ROUTE;
  const endpoint = findEndpoint(path);
  if (endpoint !== undefined) {
    const allowed = methodsOf(endpoint);
    return allowed.includes(method)
      ? { kind: 'endpoint', endpoint }
      : { kind: 'method-not-allowed', allow: allowed.join(', ') };
  }
  const bare = path.replace(/\/+$/, '');
  return bare !== path && findEndpoint(bare) !== undefined ? { kind: 'redirect', path: bare } : UNKNOWN;
}

function findEndpoint(path: string): Endpoint | undefined {
  if (Object.hasOwn(FIXED, path)) return FIXED[path];
  const match = BY_ID.exec(path);
  if (match === null) return undefined;
  return { name: match[2] === undefined ? 'get' : 'cancel', pathId: match[1] ?? '' };
}

function methodsOf(endpoint: Endpoint): readonly string[] {
  return endpoint.name === 'invoke' || endpoint.name === 'cancel' ? ['POST'] : ['GET', 'HEAD'];
}

/** A path with its percent-escapes decoded as UTF-8; escapes that are none stay, broken UTF-8 becomes U+FFFD. */
export function decodePath(path: string): string {
  if (!path.includes('%')) return path;
  return path.replace(/(?:%[0-9A-Fa-f]{2})+/g, (escapes) =>
    Buffer.from(escapes.replaceAll('%', ''), 'hex').toString('utf8'),
  );
}

/** Splits a request target into path and query, whatever its form (`/path?q`, `http://host/path?q`, `*`). */
export function splitTarget(target: string): { path: string; query: string } {
  const local = /^https?:\/\//i.test(target) ? target.replace(/^https?:\/\/[^/?#]*/i, '') : target;
  const mark = local.indexOf('?');
  const path = mark === -1 ? local : local.slice(0, mark);
  return { path: path === '' ? '/' : path, query: mark === -1 ? '' : local.slice(mark + 1) };
}
