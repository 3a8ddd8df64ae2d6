/**
 * The way of the AWS client to the network: the guarded fetch, once for each request. What the client asks for on the way
 * to credentials of a container or a machine goes past it, to addresses of the machine's own network.
 */
import { AosError } from '../core/errors.ts';
import { ConnectorError, type ConnectorParts } from './connector.ts';
import { systemCode } from './network-fault.ts';

/** A request as the AWS client hands it over, signed. */
export interface AwsRequest {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
  readonly method: string;
  readonly query?: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

export interface AwsResponse {
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array;
}

/** A type, not an interface: the client takes it as a record. */
export type AwsHandler = {
  handle(
    request: AwsRequest,
    options?: { readonly abortSignal?: unknown; readonly requestTimeout?: number | undefined },
  ): Promise<{ response: AwsResponse }>;
  updateHttpClientConfig(): void;
  httpHandlerConfigs(): Record<string, never>;
  destroy(): void;
};

const MAX_ANSWER_BYTES = 1024 * 1024;
const USUAL_TIMEOUT_MS = 30_000;

export function guardedHandler({ fetch }: Pick<ConnectorParts, 'fetch'>): AwsHandler {
  const handle: AwsHandler['handle'] = async (request, { abortSignal, requestTimeout = USUAL_TIMEOUT_MS } = {}) => {
    if (requestTimeout <= 0) throw new ConnectorError('not_sent', 'there is no time left to call EventBridge');
    const port = request.port === undefined ? '' : `:${request.port}`;
    const url = new URL(`${request.protocol}//${request.hostname}${port}${request.path}`);
    for (const [name, value] of Object.entries(request.query ?? {})) url.searchParams.set(name, String(value));
    // The connection's own header is made anew; it is the one that was signed.
    const { host: _host, 'content-length': _length, ...headers } = request.headers;
    const { body } = request;
    const signal = abortSignal instanceof AbortSignal ? abortSignal : new AbortController().signal;
    let sent = false;
    try {
      const answer = await fetch(
        {
          url: url.href,
          method: request.method === 'POST' ? 'POST' : 'GET',
          headers,
          ...((typeof body === 'string' || body instanceof Uint8Array) && { body }),
          timeoutMs: requestTimeout,
          maxBytes: MAX_ANSWER_BYTES,
          onSending: () => {
            sent = true;
          },
        },
        signal,
      );
      return { response: { statusCode: answer.status, headers: { ...answer.headers }, body: answer.body } };
    } catch (thrown) {
      const code = systemCode(thrown)?.code;
      if (sent) {
        const vendorCode = code ?? 'timeout';
        throw new ConnectorError('ambiguous', 'EventBridge was called and its answer did not come', {
          vendorCode,
          cause: thrown,
        });
      }
      if (signal.aborted) throw new ConnectorError('not_sent', 'it was called off', { cause: signal.reason });
      const refused = thrown instanceof AosError && thrown.reason === 'EGRESS_REFUSED';
      throw new ConnectorError(refused ? 'invalid' : 'not_sent', 'EventBridge cannot be reached', {
        vendorCode: refused ? 'EGRESS_REFUSED' : (code ?? 'connection failed'),
        cause: thrown,
      });
    }
  };
  return { handle, updateHttpClientConfig() {}, httpHandlerConfigs: () => ({}), destroy() {} };
}
