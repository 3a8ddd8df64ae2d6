/** An operation that changes something, judged before it is performed, whatever door asks. */

import { newUuid } from '../core/ids.ts';
import type { JsonObject } from '../core/json.ts';
import { checkSchema } from '../core/schema-check.ts';
import type { Governor } from '../governance/governor.ts';
import { refusalOf } from '../governance/verdict.ts';
import type { Operation } from './operation.ts';

/** The operation itself when it governs nothing. */
export function governed(operation: Operation, governor: Governor): Operation {
  const { spec } = operation;
  const { governs } = spec;
  if (governs === undefined) return operation;
  return {
    ...operation,
    async perform(input, context) {
      // What does not fit is refused for that, and not because of rules about what is missing.
      checkSchema(spec.input, input, 'the request');
      const { caller } = context;
      const verdict = await governor.allow(
        { caller },
        {
          name: `${spec.name} ${newUuid()}`,
          what: {
            ...governs,
            target: null,
            actionClass: null,
            effect: 'write',
            entityId: entityOf(spec.rest.path, input),
          },
          agentId: null,
          args: input,
          title: spec.summary,
        },
      );
      if (verdict.kind !== 'allow') throw refusalOf(verdict);
      return operation.perform(verdict.args, context);
    },
  };
}

/** What it is done to: the last member of the path. */
function entityOf(path: string, input: JsonObject): string | undefined {
  const member = path
    .match(/\{(\w+)\}/g)
    ?.at(-1)
    ?.slice(1, -1);
  const value = member === undefined ? undefined : input[member];
  return typeof value === 'string' ? value : undefined;
}
