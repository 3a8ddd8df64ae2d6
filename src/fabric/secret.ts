/** Secrets of planes: named in the fabric file, read from the environment when they are needed, kept nowhere. */
import { z } from 'zod';
import { ConnectorError, type SecretReference } from './connector.ts';

export const secretReference = z
  .strictObject({ $env: z.string().regex(/^[A-Z_][A-Z0-9_]{0,99}$/i) })
  .meta({ description: 'The name of the environment variable that holds the secret' });

/** @param read the environment as it is now */
export function createSecretReader(read: (name: string) => string | undefined): (reference: SecretReference) => string {
  return ({ $env: name }) => {
    const secret = read(name);
    if (secret !== undefined && secret !== '') return secret;
    throw new ConnectorError('auth', `the secret ${name} is not set in the environment`, { vendorCode: 'NO_SECRET' });
  };
}
