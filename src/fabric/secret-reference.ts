/** How settings name a secret. */
import { z } from 'zod';
import type { SecretReference } from './connector.ts';

export const secretReference: z.ZodType<SecretReference> = z.strictObject({
  $env: z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,199}$/, 'expected the name of an environment variable'),
});
