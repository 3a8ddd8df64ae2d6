/** The base address of a plane, as the fabric file names it. */
import { z } from 'zod';

export const baseAddress = z
  .url({ protocol: /^https?$/, error: 'must be an http(s) address such as https://name.example.com' })
  .refine((text) => !/[?#]/.test(text) && new URL(text).username === '', {
    error: 'must be an address without user, query and fragment',
  });
