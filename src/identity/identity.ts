/** Makes the authenticator that the settings ask for; what only one mode needs is loaded in that mode. */
import { readFileSync, statSync } from 'node:fs';
import type { Clock } from '../core/clock.ts';
import { AosError, asError } from '../core/errors.ts';
import { type ApiKey, readApiKeys } from './api-key.ts';
import {
  type Authenticator,
  createKeyAuthenticator,
  createOpenAuthenticator,
  createPlatformAuthenticator,
  createTokenAuthenticator,
} from './authenticator.ts';
import type { IdentitySettings } from './identity-settings.ts';

export interface IdentityParts {
  /** Whether the server listens to its own machine only. */
  readonly localOnly: boolean;
  readonly clock: Clock;
  /** A file of keys that changed cannot be used: those known before still count. */
  readonly onWarning: (sentence: string) => void;
}

/** @throws AosError invalid_request when the keys cannot be read */
export async function createAuthenticator(settings: IdentitySettings, parts: IdentityParts): Promise<Authenticator> {
  switch (settings.mode) {
    case 'off':
      return createOpenAuthenticator({ localOnly: parts.localOnly });
    case 'platform':
      return createPlatformAuthenticator(settings);
    case 'jwt': {
      const { createTokenVerifier } = await import('./token-verifier.ts');
      const { issued, signed, claims } = settings;
      const verify = createTokenVerifier({ issued, signed, clock: parts.clock });
      return createTokenAuthenticator({ verify, rules: claims, clock: parts.clock });
    }
    case 'api-key':
      return createKeyAuthenticator({ keys: keySource(settings, parts) });
  }
}

/** How soon a key that was added or withdrawn counts. */
const LOOK_MS = 2_000;

function keySource(
  { file, text }: Extract<IdentitySettings, { mode: 'api-key' }>,
  { clock, onWarning }: IdentityParts,
): () => readonly ApiKey[] {
  if (file === undefined) {
    const fixed = readApiKeys(text ?? '[]', 'AOS_API_KEYS');
    return () => fixed;
  }
  const stamp = () => {
    const { mtimeMs, size, ino } = statSync(file);
    return `${mtimeMs} ${size} ${ino}`;
  };
  const read = () => readApiKeys(readFileSync(file, 'utf8'), 'AOS_API_KEYS_FILE');
  const [first, initial] = firstOf(() => [stamp(), read()] as const);
  let seen = first;
  let keys = initial;
  let lookedAt = clock.monotonic();
  return () => {
    if (clock.monotonic() - lookedAt < LOOK_MS) return keys;
    lookedAt = clock.monotonic();
    try {
      const now = stamp();
      if (now !== seen) keys = read();
      seen = now;
    } catch (thrown) {
      onWarning(`AOS_API_KEYS_FILE cannot be read, so the keys known before still count: ${asError(thrown).message}`);
    }
    return keys;
  };
}

/** Without its keys the server does not start: it would refuse everybody. */
function firstOf<Found>(look: () => Found): Found {
  try {
    return look();
  } catch (thrown) {
    if (thrown instanceof AosError) throw thrown;
    throw new AosError('invalid_request', `AOS_API_KEYS_FILE cannot be read: ${asError(thrown).message}`, {
      cause: thrown,
    });
  }
}
