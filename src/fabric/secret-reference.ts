/** How settings name a secret. */
import { z } from 'zod';
import type { SecretReference } from './connector.ts';

export const secretReference: z.ZodType<SecretReference> = z
  .strictObject({ $env: z.string().regex(/^[A-Z_][A-Z0-9_]{0,99}$/i, 'expected the name of an environment variable') })
  .meta({ description: 'The name of the environment variable that holds the secret' });
