/**
 * How HTTP planes know us: the strategies an operator can choose from. Each adds headers to a request; the secret is
 * read when it is needed.
 */
import { createHmac } from 'node:crypto';
import { z } from 'zod';
import { type ConnectorCall, ConnectorError, type ConnectorParts } from './connector.ts';
import { exchange, faultOf, succeeded, textAt } from './exchange.ts';
import { secretReference } from './secret-reference.ts';

const headerName = z.string().regex(/^[A-Za-z0-9-]{1,64}$/);

export const authentication = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('none') }),
  z.strictObject({
    type: z.literal('header'),
    name: headerName,
    value: secretReference,
    prefix: z.string().max(50).default(''),
  }),
  z.strictObject({ type: z.literal('bearer'), token: secretReference }),
  z.strictObject({ type: z.literal('basic'), username: z.string().max(200), password: secretReference }),
  z.strictObject({
    type: z.literal('oauth2_client_credentials'),
    token_url: z.url({ protocol: /^https?$/ }),
    client_id: z.string().max(500),
    client_secret: secretReference,
    scope: z.string().max(500).optional(),
  }),
  z.strictObject({
    type: z.literal('hmac'),
    secret: secretReference,
    header: headerName.default('x-signature'),
    algorithm: z.enum(['sha1', 'sha256', 'sha384', 'sha512']).default('sha256'),
    encoding: z.enum(['hex', 'base64']).default('hex'),
    /** Before the signature, e.g. `sha256=`. */
    prefix: z.string().max(20).default(''),
  }),
]);
export type Authentication = z.output<typeof authentication>;

export interface Authenticator {
  /** The headers for a request with that body. @throws ConnectorError */
  headers(body: string, call: Pick<ConnectorCall, 'deadline' | 'signal'>): Promise<Record<string, string>>;
  /**
   * The target refused who we say we are. Nothing was done, so when what it refused was a token that was kept, another
   * attempt with a new one is worth it.
   */
  refused(): boolean;
}

/** A token is let go of this long before its end. */
const TOKEN_MARGIN_MS = 30_000;

/** Origins that a strategy itself asks. */
export function originsOf(auth: Authentication): readonly string[] {
  return auth.type === 'oauth2_client_credentials' ? [new URL(auth.token_url).origin] : [];
}

export function createAuthenticator(auth: Authentication, parts: ConnectorParts): Authenticator {
  const { secret } = parts;
  const fixed = (headers: (body: string) => Record<string, string>): Authenticator => ({
    headers: async (body) => headers(body),
    refused: () => false,
  });
  switch (auth.type) {
    case 'none':
      return fixed(() => ({}));
    case 'header':
      return fixed(() => ({ [auth.name.toLowerCase()]: `${auth.prefix}${secret(auth.value)}` }));
    case 'bearer':
      return fixed(() => ({ authorization: `Bearer ${secret(auth.token)}` }));
    case 'basic':
      return fixed(() => ({ authorization: basic(auth.username, secret(auth.password)) }));
    case 'hmac':
      return fixed((body) => ({
        [auth.header.toLowerCase()]: `${auth.prefix}${signature(auth, secret(auth.secret), body)}`,
      }));
    case 'oauth2_client_credentials':
      return createTokenAuthenticator(auth, parts);
  }
}

export function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`, 'utf8').toString('base64')}`;
}

/** The signature over the exact bytes of a body. */
export function signature(
  { algorithm, encoding }: Pick<Extract<Authentication, { type: 'hmac' }>, 'algorithm' | 'encoding'>,
  key: string,
  body: string,
): string {
  return createHmac(algorithm, key).update(body, 'utf8').digest(encoding);
}

function createTokenAuthenticator(
  auth: Extract<Authentication, { type: 'oauth2_client_credentials' }>,
  parts: ConnectorParts,
): Authenticator {
  const { clock, secret } = parts;
  let kept: { readonly token: string; readonly until: number } | undefined;
  /** How often the token that is in use has been used. */
  let uses = 0;

  async function ask(call: Pick<ConnectorCall, 'deadline' | 'signal'>): Promise<string> {
    const form = new URLSearchParams({ grant_type: 'client_credentials' });
    if (auth.scope !== undefined) form.set('scope', auth.scope);
    const request = {
      method: 'POST',
      url: auth.token_url,
      headers: {
        authorization: basic(encodeURIComponent(auth.client_id), encodeURIComponent(secret(auth.client_secret))),
        'content-type': 'application/x-www-form-urlencoded',
        accept: 'application/json',
      },
      body: form.toString(),
    } as const;
    const answer = await exchange(parts, request, call).catch((thrown: unknown) => {
      // Whatever became of the token request, the action has not been sent.
      if (!(thrown instanceof ConnectorError)) throw thrown;
      throw new ConnectorError('not_sent', 'no access token could be had', {
        vendorCode: thrown.vendorCode,
        cause: thrown,
      });
    });
    const token = textAt(answer.data, '/access_token');
    if (succeeded(answer) && token !== undefined) {
      const seconds = Number(textAt(answer.data, '/expires_in') ?? 300);
      kept = { token, until: clock.monotonic() + Math.max(0, seconds * 1000 - TOKEN_MARGIN_MS) };
      return token;
    }
    const { fault, vendorCode, retryAfterMs } = faultOf(answer, clock.now(), { answeredByPlane: true });
    const certain = fault === 'throttled' || fault === 'unavailable' ? 'not_sent' : 'auth';
    throw new ConnectorError(certain, 'no access token could be had', { vendorCode, retryAfterMs });
  }

  return {
    async headers(_body, call) {
      if (kept === undefined || clock.monotonic() >= kept.until) {
        uses = 0;
        kept = undefined;
      }
      const token = kept?.token ?? (await ask(call));
      uses += 1;
      return { authorization: `Bearer ${token}` };
    },
    refused() {
      const wasKept = uses > 1;
      kept = undefined;
      uses = 0;
      return wasKept;
    },
  };
}
