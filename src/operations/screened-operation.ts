/** An operation that takes words of people, screened for personal data before it is performed, whatever door asks. */
import { isJsonObject, type JsonObject } from '../core/json.ts';
import { checkSchema } from '../core/schema-check.ts';
import type { DataGuard } from '../governance/screening/data-guard.ts';
import type { Operation } from './operation.ts';

/** The operation itself when it takes no words, or when whoever governs it screens them. */
export function screened(operation: Operation, guard: Pick<DataGuard, 'screenIngress'>): Operation {
  const { spec } = operation;
  const { screens } = spec;
  if (screens === undefined) return operation;
  return {
    ...operation,
    async perform(input, context) {
      const words = wordsOf(input, screens);
      if (words === undefined) return operation.perform(input, context);
      // What does not fit is refused for that.
      checkSchema(spec.input, input, 'the request');
      const { data } = await guard.screenIngress(words, { caller: context.caller, where: spec.name });
      return operation.perform(isJsonObject(data) ? { ...input, ...data } : input, context);
    },
  };
}

function wordsOf(input: JsonObject, members: readonly string[]): JsonObject | undefined {
  const words: JsonObject = {};
  let isEmpty = true;
  for (const name of members) {
    const value = input[name];
    if (value === undefined || value === null) continue;
    words[name] = value;
    isEmpty = false;
  }
  return isEmpty ? undefined : words;
}
