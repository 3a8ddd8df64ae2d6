/**
 * Snowflake over its SQL API. The idempotency key is the request id, and from the second attempt on we say that it is a
 * repetition: Snowflake then answers with what the first one did. A statement that takes long is asked for by its handle.
 */
import { z } from 'zod';
import { isJsonObject, type JsonObject, type JsonValue } from '../core/json.ts';
import { baseAddress } from './base-address.ts';
import {
  type ConnectorCall,
  ConnectorError,
  type ConnectorParts,
  type ConnectorResult,
  type Outcome,
  type PlaneConnector,
  type RoutedAction,
} from './connector.ts';
import { connectorKind } from './connector-kind.ts';
import { exchange, faultOf, type PlaneAnswer, succeeded, textAt } from './exchange.ts';
import { addressBelow, bindingOf } from './http-connector.ts';
import { keyUuid } from './message.ts';
import type { PlaneHealth, PlaneKind } from './plane.ts';
import { snowflakeHeaders, snowflakeIdentity } from './snowflake-identity.ts';
import { type BoundValue, type Statement, stagingQuery, statementOf, warehouseColumns } from './warehouse-statement.ts';

const name = z.string().regex(/^[A-Za-z0-9_$.-]{1,200}$/);

const settings = z.strictObject({
  /** `organization-account`, or an older locator with its region. */
  account: name,
  /** By default the account's own address. */
  base_url: baseAddress.optional(),
  auth: snowflakeIdentity,
  database: name.optional(),
  /** Where tables are that name no schema. */
  schema: name.default('aos_staging'),
  warehouse: name.optional(),
  role: name.optional(),
  /** How long Snowflake works on a statement before it gives up. */
  statement_timeout_s: z.int().min(1).max(604_800).default(60),
  /** Whether a change is given back as soon as Snowflake has it, or when it is in the table. */
  wait: z.boolean().default(true),
  ...warehouseColumns,
});
type Settings = z.output<typeof settings>;

export const snowflake = connectorKind({
  settings,
  origins: (given) => [new URL(addressOf(given)).origin],
  create: createSnowflake,
});

type Bounds = Pick<ConnectorCall, 'deadline' | 'signal'>;

const POLL_MS = { first: 100, longest: 2_000 };
const CANCEL_TIMEOUT_MS = 5_000;
/** Handles of statements under way are kept for status checks; the oldest go. */
const MAX_HANDLES = 1_000;

function createSnowflake(given: Settings, parts: ConnectorParts, plane: PlaneKind): PlaneConnector {
  const { clock } = parts;
  const address = addressBelow(addressOf(given), 'api/v2/statements');
  const handles = new Map<string, string>();

  function ask(method: 'GET' | 'POST', path: string, call: Bounds, body?: JsonObject): Promise<PlaneAnswer> {
    const headers = { ...snowflakeHeaders(given, parts), accept: 'application/json', 'user-agent': 'aos-agent-server' };
    const url = `${address}${path}`;
    if (body === undefined) return exchange(parts, { method, url, headers }, call);
    const json = { ...headers, 'content-type': 'application/json' };
    return exchange(parts, { method, url, headers: json, body: JSON.stringify(body) }, call);
  }

  function submit(statement: Statement, call: ConnectorCall, background: boolean): Promise<PlaneAnswer> {
    const query = new URLSearchParams({ requestId: keyUuid(call.idempotencyKey) });
    if (call.attempt > 1) query.set('retry', 'true');
    if (background) query.set('async', 'true');
    return ask('POST', `?${query}`, call, bodyOf(given, statement));
  }

  /** Asks by the handle until the statement has ended. A caller who gives up takes the statement along. */
  async function ended(handle: string, call: Bounds): Promise<PlaneAnswer> {
    const path = `/${encodeURIComponent(handle)}`;
    try {
      for (let pause = POLL_MS.first; ; pause = Math.min(pause * 2, POLL_MS.longest)) {
        const answer = await ask('GET', path, call);
        if (answer.status !== 202) return answer;
        await clock.sleep(pause, call.signal);
      }
    } catch (thrown) {
      if (!call.signal.aborted) throw thrown;
      const bounds = { deadline: clock.now() + CANCEL_TIMEOUT_MS, signal: new AbortController().signal };
      await ask('POST', `${path}/cancel`, bounds).catch(() => undefined);
      throw new ConnectorError('ambiguous', 'the statement was under way when it was called off', {
        vendorCode: 'timeout',
        cause: thrown,
      });
    }
  }

  function remember(key: string, handle: string): void {
    handles.set(key, handle);
    const [oldest] = handles.keys();
    if (handles.size > MAX_HANDLES && oldest !== undefined) handles.delete(oldest);
  }

  return {
    plane,
    vendor: 'snowflake',
    dedupes: true,
    async run(action: RoutedAction, call: ConnectorCall): Promise<ConnectorResult> {
      const binding = bindingOf(action, 'table');
      const reads = binding.operation === 'SELECT';
      const statement = statementOf(action, binding, call.idempotencyKey, given);
      let answer = await submit(statement, call, !reads && !given.wait);
      const handle = textAt(answer.data, '/statementHandle');
      if (answer.status === 202 && handle !== undefined) {
        remember(call.idempotencyKey, handle);
        if (reads || given.wait) answer = await ended(handle, call);
      }
      if (!succeeded(answer)) throw faultOfSnowflake(answer, clock.now());
      return {
        kind: reads ? 'completed' : 'accepted',
        ...(reads && { data: rowsOf(answer) }),
        ...(handle !== undefined && { externalId: handle }),
      };
    },
    async outcome(action: RoutedAction, call: ConnectorCall): Promise<Outcome> {
      const binding = bindingOf(action, 'table');
      // A read that is done again does no harm.
      if (binding.operation === 'SELECT') return { kind: 'not_done' };
      const handle = handles.get(call.idempotencyKey);
      if (handle !== undefined) {
        const { status } = await ask('GET', `/${encodeURIComponent(handle)}`, call);
        if (status === 200 || status === 202) return { kind: 'accepted', externalId: handle, deduplicated: true };
        // A statement that failed left nothing behind.
        if (status === 422 || status === 408) return { kind: 'not_done' };
      }
      const answer = await ask('POST', '', call, bodyOf(given, stagingQuery(binding, call.idempotencyKey)));
      if (answer.status !== 200) throw faultOfSnowflake(answer, clock.now());
      // Without a row it may still be under way.
      const isThere = textAt(answer.data, '/data/0/0') === '1';
      return isThere ? { kind: 'accepted', deduplicated: true } : { kind: 'unknown' };
    },
    async health(signal: AbortSignal): Promise<PlaneHealth> {
      try {
        // A statement nobody made: who may ask at all is told that it is not there.
        const path = '/00000000-0000-0000-0000-000000000000';
        const { status } = await ask('GET', path, { deadline: clock.now() + 10_000, signal });
        if (status < 300 || status === 404 || status === 422) return { status: 'healthy' };
        return { status: status === 429 ? 'degraded' : 'down', detail: `HTTP ${status}` };
      } catch (thrown) {
        const detail = thrown instanceof ConnectorError ? (thrown.vendorCode ?? thrown.fault) : 'timeout';
        return { status: 'down', detail };
      }
    },
    async close() {},
  };
}

function addressOf({ account, base_url: base }: Settings): string {
  return base ?? `https://${account.toLowerCase()}.snowflakecomputing.com`;
}

function bodyOf(given: Settings, { text, values }: Statement): JsonObject {
  const { database, schema, warehouse, role } = given;
  return {
    statement: text,
    timeout: given.statement_timeout_s,
    schema,
    ...(database !== undefined && { database }),
    ...(warehouse !== undefined && { warehouse }),
    ...(role !== undefined && { role }),
    bindings: Object.fromEntries(values.map((value, at) => [String(at + 1), boundOf(value)])),
  };
}

function boundOf(value: BoundValue): JsonObject {
  if (typeof value === 'boolean') return { type: 'BOOLEAN', value: String(value) };
  if (typeof value !== 'number') return { type: 'TEXT', value };
  return { type: Number.isSafeInteger(value) ? 'FIXED' : 'REAL', value: String(value) };
}

/** 422: the statement itself; 408: it took longer than it may, and was undone. */
function faultOfSnowflake(answer: PlaneAnswer, now: number): ConnectorError {
  const usual = faultOf(answer, now, { code: textAt(answer.data, '/code') });
  const fault = answer.status === 408 ? 'rejected' : usual.fault;
  const { vendorCode, retryAfterMs } = usual;
  return new ConnectorError(fault, `Snowflake did not do it (${vendorCode})`, { vendorCode, retryAfterMs });
}

const resultSet = z.object({
  resultSetMetaData: z.object({
    rowType: z.array(z.object({ name: z.string(), type: z.string(), scale: z.number().nullish() })),
    partitionInfo: z.array(z.unknown()).default([]),
  }),
  data: z.array(z.array(z.string().nullable())),
});

/** Rows as objects, by the names of their columns as Snowflake writes them. */
function rowsOf({ data }: PlaneAnswer): JsonObject {
  if (!isJsonObject(data)) {
    throw new ConnectorError('too_large', "Snowflake's answer is too large: ask for fewer rows or columns");
  }
  const { resultSetMetaData: about, data: rows } = resultSet.parse(data);
  return {
    rows: rows.map((row) =>
      Object.fromEntries(about.rowType.map(({ name: column, type }, at) => [column, cellOf(row[at] ?? null, type)])),
    ),
    row_count: rows.length,
    truncated: about.partitionInfo.length > 1,
  };
}

function cellOf(value: string | null, type: string): JsonValue {
  if (value === null) return null;
  const kind = type.toLowerCase();
  if (kind === 'boolean') return value === 'true' || value === '1';
  const isNumber = kind === 'fixed' || kind === 'real';
  // A number that JSON cannot carry without loss stays a text.
  return isNumber && String(Number(value)) === value ? Number(value) : value;
}
