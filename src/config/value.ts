/** What the parts of the configuration are written with: kinds of values in words of the environment, and faults. */
import { resolve } from 'node:path';
import { z } from 'zod';
import { closest } from '../core/closest.ts';

/** Takes a fault in a sentence a person can act on; all of them are told together. */
export type Fault = (message: string) => undefined;

/** What has been read of some variables; those that are unset, blank or faulty are left out. */
export type Variables<Shape extends z.ZodRawShape> = z.infer<z.ZodObject<Shape>>;

export const text = z.string();

export const httpUrl = z.url({ protocol: /^https?$/, error: 'an http(s) address such as https://name.example.com' });

export const onOff = z
  .string()
  .regex(/^(?:true|false|on|off|yes|no|1|0)$/i, { error: 'on or off' })
  .transform((value) => /^(?:true|on|yes|1)$/i.test(value));

/** A whole number. @param what is counted, in the plural */
export function count(min: number, max: number, what: string) {
  return z
    .string()
    .refine((value) => /^\d{1,9}$/.test(value) && Number(value) >= min && Number(value) <= max, {
      error: `a whole number of ${what} from ${min} to ${max}`,
    })
    .transform(Number);
}

/** One of some words, which may be written in any case. @param spelling the case of all of the words */
export function oneOf<const Word extends string>(words: readonly Word[], spelling: 'lower' | 'upper' = 'lower') {
  return inAnyCase(
    z.enum(words, {
      error: ({ input }) => `one of ${words.join(', ')}${closest(String(input), words, ' (did you mean %s?)')}`,
    }),
    spelling,
  );
}

export function inAnyCase<Schema extends z.ZodType>(schema: Schema, spelling: 'lower' | 'upper' = 'lower') {
  return z.preprocess((value) => {
    if (typeof value !== 'string') return value;
    return spelling === 'lower' ? value.toLowerCase() : value.toUpperCase();
  }, schema);
}

/** The file or folder a variable names, as an absolute path. */
export function pathFrom(workingDirectory: string, path: string | undefined): string | undefined {
  return path === undefined ? undefined : resolve(workingDirectory, path);
}
