/**
 * Who we are for Google: a service account's own key, with which a token is signed here and nobody is asked; an identity
 * that another cloud gave us (workload identity federation); or Google's usual chain (a file the environment names, the
 * machine's identity). The last two are the client library's business. What it sends goes through the guarded fetch,
 * except its look for a metadata server, which is on the machine's own network.
 */
import { z } from 'zod';
import { ConnectorError, type ConnectorParts } from './connector.ts';
import { secretReference } from './secret-reference.ts';
import { privateKey, signedToken } from './signed-token.ts';

/** Where the library's requests may go. */
const tokenOrigins = z
  .array(z.url())
  .default(['https://sts.googleapis.com', 'https://oauth2.googleapis.com', 'https://iamcredentials.googleapis.com']);

export const googleIdentity = z.discriminatedUnion('type', [
  /** `key`: the JSON file of a service account. */
  z.strictObject({ type: z.literal('service_account'), key: secretReference }),
  /** `credentials`: the credential configuration that Google makes for the other cloud, as JSON. */
  z.strictObject({ type: z.literal('workload_identity'), credentials: secretReference, token_origins: tokenOrigins }),
  z.strictObject({ type: z.literal('google_default'), token_origins: tokenOrigins }),
]);
export type GoogleIdentity = z.output<typeof googleIdentity>;

export interface TokenSource {
  /** @throws ConnectorError `auth`, or `not_sent` when no token could be had now */
  token(signal: AbortSignal): Promise<string>;
  /** A token was not accepted: the next one is a new one. */
  forget(): void;
}

const SCOPE = 'https://www.googleapis.com/auth/bigquery';
const AUDIENCE = 'https://bigquery.googleapis.com/';
const LIFETIME_S = 600;
const MAX_TOKEN_BYTES = 64 * 1024;
const TOKEN_TIMEOUT_MS = 15_000;

const serviceAccount = z.object({
  client_email: z.string(),
  private_key: z.string(),
  private_key_id: z.string().optional(),
});

/** No programs to be run, of which such a configuration can name one. */
const format = z.union([
  z.object({ type: z.literal('text') }),
  z.object({ type: z.literal('json'), subject_token_field_name: z.string() }),
]);
const federation = z.object({
  type: z.literal('external_account'),
  audience: z.string(),
  subject_token_type: z.string(),
  token_url: z.url(),
  service_account_impersonation_url: z.url().exactOptional(),
  credential_source: z.union([
    z.object({ file: z.string(), format: format.exactOptional() }),
    z.object({
      url: z.url(),
      headers: z.record(z.string(), z.string()).exactOptional(),
      format: format.exactOptional(),
    }),
  ]),
});

export function createTokenSource(given: GoogleIdentity, parts: ConnectorParts): TokenSource {
  return given.type === 'service_account' ? ownTokens(given, parts) : libraryTokens(given, parts);
}

function ownTokens(
  { key }: Extract<GoogleIdentity, { type: 'service_account' }>,
  { clock, secret }: ConnectorParts,
): TokenSource {
  return {
    async token() {
      const account = serviceAccount.safeParse(parsed(secret(key)));
      if (!account.success) {
        throw new ConnectorError('auth', `the secret ${key.$env} is no key file of a service account`, {
          vendorCode: 'NO_KEY',
        });
      }
      const { client_email: email, private_key: pem, private_key_id: id } = account.data;
      const now = Math.floor(clock.now() / 1000);
      const claims = { iss: email, sub: email, aud: AUDIENCE, iat: now, exp: now + LIFETIME_S };
      return signedToken(privateKey(pem), id === undefined ? {} : { kid: id }, claims);
    },
    forget() {},
  };
}

type Ask = () => Promise<string | null | undefined>;

function libraryTokens(
  given: Exclude<GoogleIdentity, { type: 'service_account' }>,
  parts: ConnectorParts,
): TokenSource {
  let ask: Promise<Ask> | undefined;

  async function open(): Promise<Ask> {
    const { GoogleAuth, IdentityPoolClient } = await import('google-auth-library');
    const transporterOptions = { fetchImplementation: guarded(parts), retry: false };
    if (given.type === 'google_default') {
      const auth = new GoogleAuth({ scopes: [SCOPE], clientOptions: { transporterOptions } });
      return () => auth.getAccessToken();
    }
    const configuration = federation.safeParse(parsed(parts.secret(given.credentials)));
    if (configuration.success) {
      const client = new IdentityPoolClient({ ...configuration.data, scopes: [SCOPE], transporterOptions });
      return async () => (await client.getAccessToken()).token;
    }
    const name = given.credentials.$env;
    throw new ConnectorError('auth', `the secret ${name} is no credential configuration with a file or an address`, {
      vendorCode: 'NO_KEY',
    });
  }

  return {
    async token(signal) {
      ask ??= open();
      try {
        const token = await (await ask)();
        signal.throwIfAborted();
        if (typeof token === 'string') return token;
        throw new Error('there was none in the answer');
      } catch (thrown) {
        // Credentials are read anew the next time: somebody may have put them right.
        ask = undefined;
        signal.throwIfAborted();
        if (thrown instanceof ConnectorError) throw thrown;
        const refused = thrown instanceof Error && 'status' in thrown && Number(thrown.status) < 500;
        throw new ConnectorError(refused ? 'auth' : 'not_sent', 'no access token of Google could be had', {
          vendorCode: 'NO_TOKEN',
          cause: thrown,
        });
      }
    },
    forget() {
      ask = undefined;
    },
  };
}

/** The guarded fetch in the form the library wants. */
function guarded({ fetch }: ConnectorParts): typeof globalThis.fetch {
  return async (input, init) => {
    const request = new Request(input, init);
    const body = await request.text();
    const answer = await fetch(
      {
        url: request.url,
        method: request.method === 'POST' ? 'POST' : 'GET',
        headers: Object.fromEntries(request.headers),
        ...(body !== '' && { body }),
        timeoutMs: TOKEN_TIMEOUT_MS,
        maxBytes: MAX_TOKEN_BYTES,
      },
      request.signal,
    );
    return new Response(Buffer.from(answer.body), { status: answer.status, headers: { ...answer.headers } });
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
