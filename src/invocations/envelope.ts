/**
 * Management operations inside `POST /invocations`: the platform publishes only the protocol's routes, so everything
 * the REST doors offer is also `{ "operation": "runs.list", "input": {…} }` here. Both are made from the one table of
 * operations; an operation is answered, not run: it has no invocation of its own to read later.
 */
import { z } from 'zod';
import { closest } from '../core/closest.ts';
import { AosError } from '../core/errors.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';
import { checkSchema } from '../core/schema-check.ts';
import type { Entrance } from '../identity/entrance.ts';
import type { Principal } from '../identity/principal.ts';
import { needOf, type Operation, type OperationContext } from '../operations/operation.ts';

export const operationBody = z
  .strictObject({
    operation: z.string().min(1).meta({ description: 'The name of the operation: the operationId of its REST route' }),
    input: z
      .record(z.string(), z.unknown() as z.ZodType<JsonValue>)
      .default({})
      .meta({ description: 'Path members, query parameters and body of the REST route, in one object' }),
  })
  .meta({ id: 'OperationRequest', description: 'A management operation, as its REST route offers it' });

export const operationAnswer = z
  .object({
    operation: z.string(),
    status: z.int().meta({ description: 'What the REST route answers' }),
    output: z.record(z.string(), z.unknown()).meta({ description: 'The body the REST route answers' }),
  })
  .meta({ id: 'OperationAnswer', description: 'What a management operation answered' });

export type OperationAnswer = { operation: string; status: number; output: JsonObject };

export interface Envelope {
  /**
   * @throws AosError invalid_request (no such operation, input that does not fit), forbidden, or what the operation
   *   refuses with
   */
  perform(body: JsonObject, context: EnvelopeContext): Promise<OperationAnswer>;
}

/** Whoever asks here has come through a door. */
export type EnvelopeContext = OperationContext & { readonly principal: Principal };

export function createEnvelope(operations: readonly Operation[], { admit }: Pick<Entrance, 'admit'>): Envelope {
  const byName = new Map(operations.map((operation) => [operation.spec.name, operation]));
  return {
    async perform(body, context) {
      const { operation: name, input } = checkSchema(operationBody, body, 'the request body');
      const operation = byName.get(name);
      if (operation === undefined) throw unknown(name, [...byName.keys()]);
      await admit(context.principal, needOf(operation.spec)).catch(withReason);
      const { rest } = operation.spec;
      const output = await operation.perform(input, context).catch(withReason);
      return { operation: name, status: rest.statusOf?.(output) ?? rest.status, output };
    },
  };
}

function unknown(name: string, known: readonly string[]): AosError {
  const meant = closest(name, known, ', did you mean "%s"?');
  const sameNoun = known.filter((other) => other.split('.')[0] === name.split('.')[0]);
  const offered = sameNoun.length === 0 ? `${known.length} are in openapi.json` : `there are: ${sameNoun.join(', ')}`;
  return new AosError('invalid_request', `there is no operation "${name}"${meant} (${offered})`);
}

/** The protocol's error body has no room beside code and message but `details`: the finer word and the facts go there. */
function withReason(thrown: unknown): never {
  if (!(thrown instanceof AosError) || thrown.reason === undefined) throw thrown;
  const { code, message, reason, facts, details, retry } = thrown;
  throw new AosError(code, message, {
    details: [{ ...facts, code: reason, message }, ...details],
    reason,
    facts,
    retry,
    cause: thrown,
  });
}
