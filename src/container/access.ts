/** What the banner says about who may use this server. */
import type { RuntimeConfig } from '../config.ts';

export function describeAccess({ identity, listenEverywhere }: RuntimeConfig): string {
  switch (identity.mode) {
    case 'off':
      return listenEverywhere
        ? 'ANYBODY WHO CAN REACH IT (AUTH_MODE=off)'
        : 'this machine only, without authentication (AUTH_MODE=off)';
    case 'platform':
      return 'whom the platform names (AUTH_MODE=platform)';
    case 'jwt':
      return 'tokens (AUTH_MODE=jwt)';
    case 'api-key':
      return 'API keys (AUTH_MODE=api-key)';
  }
}
