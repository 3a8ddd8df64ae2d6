/**
 * An operation: one thing that can be asked of the runtime, apart from any wire. The doors are projections of this
 * table: REST routes, the envelope inside `POST /invocations`, and their descriptions are all made from it.
 */
import type { z } from 'zod';
import { AosError, type ErrorCode } from '../core/errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../core/json.ts';
import { checkSchema } from '../core/schema-check.ts';
import type { ActionKind } from '../governance/action.ts';
import type { Access, Need } from '../identity/access.ts';
import type { Principal } from '../identity/principal.ts';
import { type Caller, reachOf } from '../runs/run.ts';

/** How a family of routes words its errors: `{"error": "<text>"}` or `{"detail": "<text>"}`, each with more members. */
export type ErrorFamily = 'flat' | 'detail';

/** One message of a stream; as a server-sent event, `id` is what a client comes back with. */
export interface StreamItem {
  readonly id?: string | number;
  readonly event?: string;
  readonly data: JsonObject;
}

/** What a route also, or first of all, answers as server-sent events. */
export interface RestStream {
  readonly description: string;
  /** What a client gets that does not say (`Accept` absent or a wildcard). */
  readonly unasked: 'stream' | 'json';
  /** The input member that takes the id of the last event a client has (`Last-Event-ID`). */
  readonly resume: string;
  /** A few lines of such a stream. */
  readonly example: string;
}

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
  readonly stream?: RestStream;
  /** Members of the body that clients of the seed systems give in the query; the body's count more. */
  readonly query?: readonly string[];
  /** May be asked for as often as anybody likes: for those who look after the server. */
  readonly unlimited?: true;
  /** The output as lines of JSON, for clients that ask for `application/x-ndjson`. */
  readonly lines?: (output: JsonObject) => {
    readonly lines: readonly string[];
    readonly headers: Record<string, string>;
  };
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
  /**
   * What it does as an action that is judged before it is done: a change of settings is `admin`. Left out where nothing
   * is changed, and where what is asked for is judged by whoever does it (submissions).
   */
  readonly governs?: {
    readonly kind: Extract<ActionKind, 'admin' | 'run' | 'task' | 'job' | 'a2a'>;
    readonly type: string;
  };
  /** Members of the input that hold words of people, screened for personal data before it is performed. */
  readonly screens?: readonly string[];
  /** The right it wants; by default `read` of a GET, `write` of the rest. */
  readonly access?: Access;
  /** What may go wrong beside `invalid_request` and `internal_error`, which always may. */
  readonly errors?: readonly ErrorCode[];
  readonly example?: { readonly input?: JsonObject; readonly output?: JsonObject };
}

/** Who asks, and what of the call an operation may need. */
export interface OperationContext {
  readonly caller: Caller;
  /** The caller as the door knows him; absent when the runtime itself asks. */
  readonly principal?: Principal;
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
  /** The same as a stream, for operations that have one. Refusals reject before the first item. */
  readonly stream?: (input: JsonObject, context: OperationContext) => Promise<AsyncIterable<StreamItem>>;
}

/** What a caller must be allowed to ask for it. */
export function needOf({ name, access, rest }: OperationSpec): Need {
  return { access: access ?? (rest.method === 'GET' ? 'read' : 'write'), what: name };
}

/**
 * The caller as the owner of all that he reaches, for records that are looked through by their owner: an administrator's
 * are those of the whole tenant, anybody else's his own.
 */
export function overseerOf({ caller }: Pick<OperationContext, 'caller'>): Caller {
  return { tenantId: caller.tenantId, userId: reachOf(caller) };
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
  streamer?: (input: z.output<Input>, context: OperationContext) => Promise<AsyncIterable<StreamItem>>,
): Operation {
  const checked = (input: JsonObject) => {
    if (holdsNul(input)) {
      throw new AosError('invalid_request', 'the request holds the character U+0000, which no text here may hold');
    }
    return checkSchema(spec.input, input, 'the request');
  };
  return {
    spec,
    async perform(input, context) {
      return (await handler(checked(input), context)) as JsonObject;
    },
    ...(streamer !== undefined && {
      stream: async (input: JsonObject, context: OperationContext) => streamer(checked(input), context),
    }),
  };
}

/** No column of text can hold it; better said here than found by the database. */
function holdsNul(value: JsonValue): boolean {
  if (typeof value === 'string') return value.includes('\0');
  if (Array.isArray(value)) return value.some(holdsNul);
  return isJsonObject(value) && Object.entries(value).some(([key, member]) => key.includes('\0') || holdsNul(member));
}
