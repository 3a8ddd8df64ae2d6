/** Secrets of planes: named in the fabric file, read from the environment when they are needed, kept nowhere. */
import { ConnectorError, type SecretReference } from './connector.ts';

/** @param read the environment as it is now */
export function createSecretReader(read: (name: string) => string | undefined): (reference: SecretReference) => string {
  return ({ $env: name }) => {
    const secret = read(name);
    if (secret !== undefined && secret !== '') return secret;
    throw new ConnectorError('auth', `the secret ${name} is not set in the environment`, { vendorCode: 'NO_SECRET' });
  };
}
