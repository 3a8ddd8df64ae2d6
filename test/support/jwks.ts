/** An issuer of tokens on a real socket: publishes its keys, signs what a test wants, and fails when told to. */
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, type generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose';

export type KeyPair = Awaited<ReturnType<typeof generateKeyPair>>;

export interface TestIssuer extends AsyncDisposable {
  readonly jwksUrl: string;
  /** Requests for the keys so far. */
  readonly fetches: number;
  /** What is published from now on. */
  publish(keys: Readonly<Record<string, KeyPair>>): Promise<void>;
  /** How requests are answered from now on: `hang` never does, `down` closes the connection. */
  behave(how: 'well' | 'hang' | 'down' | 'error'): void;
}

export async function startIssuer(keys: Readonly<Record<string, KeyPair>>): Promise<TestIssuer> {
  let document = '';
  let fetches = 0;
  let manner: Parameters<TestIssuer['behave']>[0] = 'well';
  const answer = (response: ServerResponse) => {
    fetches++;
    if (manner === 'hang') return;
    if (manner === 'down') response.destroy();
    else if (manner === 'error') response.writeHead(500).end('no keys today');
    else response.writeHead(200, { 'content-type': 'application/json' }).end(document);
  };
  const publish = async (published: Readonly<Record<string, KeyPair>>) => {
    const jwks: JWK[] = [];
    for (const [kid, { publicKey }] of Object.entries(published)) {
      jwks.push({ ...(await exportJWK(publicKey)), kid, use: 'sig' });
    }
    document = JSON.stringify({ keys: jwks });
  };
  await publish(keys);
  const server = createServer((_request, response) => answer(response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    jwksUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`,
    get fetches() {
      return fetches;
    },
    publish,
    behave(how) {
      manner = how;
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

export const ISSUER = 'https://issuer.example.com';
export const AUDIENCE = 'api://aos';

export interface Token {
  readonly kid?: string;
  readonly claims?: JWTPayload;
  /** Seconds from `now` on. */
  readonly expiresIn?: number;
  /** Epoch milliseconds. */
  readonly now?: number;
}

/** A token that is good unless the test makes it otherwise. */
export function signToken(
  pair: KeyPair,
  { kid = 'k1', claims = {}, expiresIn = 600, now }: Token = {},
): Promise<string> {
  const at = Math.floor((now ?? Date.now()) / 1000);
  return new SignJWT({ iss: ISSUER, aud: AUDIENCE, sub: 'ann', tenant_id: 'acme', roles: ['operator'], ...claims })
    .setProtectedHeader({ alg: 'RS256', kid })
    .setIssuedAt(at)
    .setExpirationTime(at + expiresIn)
    .sign(pair.privateKey);
}
