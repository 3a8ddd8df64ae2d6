/** Who we are for Snowflake: a key pair, with which a short-lived token is signed for each request, or a token as it is. */
import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { z } from 'zod';
import type { ConnectorParts } from './connector.ts';
import { secretReference } from './secret-reference.ts';
import { privateKey, signedToken } from './signed-token.ts';

export const snowflakeIdentity = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('key_pair'),
    user: z.string().min(1).max(200),
    /** PEM, PKCS #8. */
    private_key: secretReference,
    passphrase: secretReference.optional(),
  }),
  z.strictObject({ type: z.literal('oauth'), token: secretReference }),
  z.strictObject({ type: z.literal('programmatic_access_token'), token: secretReference }),
]);

interface Identified {
  readonly account: string;
  readonly auth: z.output<typeof snowflakeIdentity>;
}

/** Snowflake takes an hour at most. */
const LIFETIME_S = 300;
const TOKEN_TYPE = 'x-snowflake-authorization-token-type';

/** @throws ConnectorError `auth` when a secret is missing or no key */
export function snowflakeHeaders({ account, auth }: Identified, parts: ConnectorParts): Record<string, string> {
  const { clock, secret } = parts;
  switch (auth.type) {
    case 'oauth':
      return { authorization: `Bearer ${secret(auth.token)}`, [TOKEN_TYPE]: 'OAUTH' };
    case 'programmatic_access_token':
      return { authorization: `Bearer ${secret(auth.token)}`, [TOKEN_TYPE]: 'PROGRAMMATIC_ACCESS_TOKEN' };
    case 'key_pair': {
      const passphrase = auth.passphrase === undefined ? undefined : secret(auth.passphrase);
      const key = privateKey(secret(auth.private_key), passphrase);
      const subject = `${accountName(account)}.${auth.user.toUpperCase()}`;
      const now = Math.floor(clock.now() / 1000);
      const claims = { iss: `${subject}.${fingerprint(key)}`, sub: subject, iat: now, exp: now + LIFETIME_S };
      return { authorization: `Bearer ${signedToken(key, {}, claims)}`, [TOKEN_TYPE]: 'KEYPAIR_JWT' };
    }
  }
}

/** Upper case, and an old locator without its region. */
function accountName(account: string): string {
  return account.replace(/\..*$/, '').toUpperCase();
}

function fingerprint(key: KeyObject): string {
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
  return `SHA256:${createHash('sha256').update(spki).digest('base64')}`;
}
