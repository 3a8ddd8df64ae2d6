/** Tokens that a target believes because they are signed with a private key it knows the public half of (JWT, RS256). */
import { createPrivateKey, type KeyObject, sign } from 'node:crypto';
import type { JsonObject } from '../core/json.ts';
import { ConnectorError } from './connector.ts';

/** @throws ConnectorError `auth` when the text is no private RSA key, or not with that passphrase */
export function privateKey(pem: string, passphrase?: string): KeyObject {
  let key: KeyObject | undefined;
  try {
    // An environment variable often carries its line ends as `\n`.
    key = createPrivateKey({
      key: pem.replaceAll('\\n', '\n'),
      ...(passphrase === undefined ? {} : { passphrase }),
    });
  } catch {
    // What the library says may quote the key.
  }
  if (key?.asymmetricKeyType === 'rsa') return key;
  throw new ConnectorError('auth', 'expected a private RSA key in PEM form, with its passphrase if it has one', {
    vendorCode: 'NO_KEY',
  });
}

export function signedToken(key: KeyObject, header: JsonObject, claims: JsonObject): string {
  const text = [{ alg: 'RS256', typ: 'JWT', ...header }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  return `${text}.${sign('RSA-SHA256', Buffer.from(text), key).toString('base64url')}`;
}
