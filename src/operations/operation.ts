/**
 * An operation: one thing that can be asked of the runtime, apart from any wire. The doors are projections of this
 * table: REST routes, the envelope inside `POST /invocations`, and their descriptions are all made from it.
 */
import type { z } from 'zod';
import type { ErrorCode } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import { checkSchema } from '../core/schema-check.ts';
import type { Caller } from '../runs/run.ts';

/** How a family of routes words its errors: `{"error": "<text>"}` or `{"detail": "<text>"}`, each with more members. */
export type ErrorFamily = 'flat' | 'detail';

/** What an operation is as a REST route. */
export interface RestRoute {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** With `{name}` for members of the input that stand in the path. */
  readonly path: string;
  /** Status of success. */
  readonly status: number;
  readonly family: ErrorFamily;
  /** Other paths of the same operation, e.g. names the seed systems' clients use. */
  readonly aliases?: readonly string[];
  /** The member of the output that goes out as the header `Location`, when there is one. */
  readonly location?: (output: JsonObject) => string | undefined;
  /** A status other than `status`, when the output asks for one (503 for an unhealthy health). */
  readonly statusOf?: (output: JsonObject) => number | undefined;
}

export interface OperationSpec<Input extends z.ZodObject = z.ZodObject, Output extends z.ZodType = z.ZodType> {
  /** `tasks.submit`: noun in the plural, then the verb. */
  readonly name: string;
  readonly summary: string;
  readonly description?: string;
  /**
   * Every member, wherever it comes from: path members by name; of a GET or DELETE the others are query parameters
   * (texts, so numbers want `z.coerce`), of the rest they are the JSON body. A `looseObject` takes unknown members;
   * otherwise they are left out and named in a warning.
   */
  readonly input: Input;
  readonly output: Output;
  readonly rest: RestRoute;
  /** What may go wrong beside `invalid_request` and `internal_error`, which always may. */
  readonly errors?: readonly ErrorCode[];
  readonly example?: { readonly input?: JsonObject; readonly output?: JsonObject };
}

/** Who asks, and what of the call an operation may need. */
export interface OperationContext {
  readonly caller: Caller;
  /** Fires when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
  /** The platform's id of the call; '' when it has none. */
  readonly callId: string;
}

/** A spec with what performs it; the types of its input and output have been checked where it was made. */
export interface Operation {
  readonly spec: OperationSpec;
  /**
   * @param input as it came; members that are not the schema's are left out
   * @throws AosError invalid_request when the input does not fit, or what the operation itself refuses with
   */
  perform(input: JsonObject, context: OperationContext): Promise<JsonObject>;
}

/** Gives a spec its type. */
export function specify<Input extends z.ZodObject, Output extends z.ZodType>(
  spec: OperationSpec<Input, Output>,
): OperationSpec<Input, Output> {
  return spec;
}

/** Joins a spec with what performs it. What the handler returns is JSON of the output's shape. */
export function realize<Input extends z.ZodObject, Output extends z.ZodType>(
  spec: OperationSpec<Input, Output>,
  handler: (input: z.output<Input>, context: OperationContext) => Promise<z.input<Output>>,
): Operation {
  return {
    spec,
    async perform(input, context) {
      return (await handler(checkSchema(spec.input, input, 'the request'), context)) as JsonObject;
    },
  };
}
