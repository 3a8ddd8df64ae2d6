/**
 * BigQuery over its REST interface. A change is a job whose id is the idempotency key: inserting it again is answered with
 * 409, what became of it can be asked at any time. A read is a query with the key as its request id, which BigQuery
 * remembers for a quarter of an hour.
 */
import { z } from 'zod';
import { isJsonObject, type JsonObject, type JsonValue } from '../core/json.ts';
import { baseAddress } from './base-address.ts';
import { faultOfBigQuery } from './bigquery-fault.ts';
import { createTokenSource, googleIdentity } from './bigquery-token.ts';
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
import { exchange, type PlaneAnswer, succeeded, textAt } from './exchange.ts';
import { addressBelow, bindingOf } from './http-connector.ts';
import { keyUuid } from './message.ts';
import type { PlaneHealth, PlaneKind } from './plane.ts';
import { type BoundValue, type Statement, statementOf, warehouseColumns } from './warehouse-statement.ts';

const name = z.string().regex(/^[A-Za-z0-9_:.-]{1,200}$/);

const settings = z.strictObject({
  base_url: baseAddress.default('https://bigquery.googleapis.com'),
  project: name,
  /** Where tables are that name no dataset. */
  dataset: name.default('aos_staging'),
  /** Where the dataset is, e.g. `EU`. */
  location: name,
  auth: googleIdentity,
  /** A query that would read more is refused by BigQuery. */
  maximum_bytes_billed: z.int().min(1).default(10_000_000_000),
  /** Whether a change is given back as soon as BigQuery has it, or when it is in the table. */
  wait: z.boolean().default(true),
  ...warehouseColumns,
});
type Settings = z.output<typeof settings>;

export const bigquery = connectorKind({
  settings,
  origins: ({ base_url: base, auth }) => [
    new URL(base).origin,
    ...(auth.type === 'service_account' ? [] : auth.token_origins),
  ],
  create: createBigQuery,
});

/** How long BigQuery itself waits before it says that a job is not complete yet. */
const PATIENCE_MS = 10_000;

type Bounds = Pick<ConnectorCall, 'deadline' | 'signal'>;

function createBigQuery(given: Settings, parts: ConnectorParts, plane: PlaneKind): PlaneConnector {
  const { clock } = parts;
  const tokens = createTokenSource(given.auth, parts);
  const project = addressBelow(given.base_url, `bigquery/v2/projects/${encodeURIComponent(given.project)}`);
  const place = `location=${encodeURIComponent(given.location)}`;

  async function ask(method: 'GET' | 'POST', path: string, call: Bounds, body?: JsonObject): Promise<PlaneAnswer> {
    const headers = { authorization: `Bearer ${await tokens.token(call.signal)}`, accept: 'application/json' };
    const content = { headers: { ...headers, 'content-type': 'application/json' }, body: JSON.stringify(body) };
    const request = { method, url: `${project}${path}`, headers, ...(body !== undefined && content) };
    const answer = await exchange(parts, request, call);
    if (answer.status === 401) tokens.forget();
    return answer;
  }

  async function asked(method: 'GET' | 'POST', path: string, call: Bounds, body?: JsonObject): Promise<JsonObject> {
    const answer = await ask(method, path, call, body);
    if (!succeeded(answer)) throw faultOfBigQuery(answer, clock.now());
    return objectIn(answer);
  }

  const resultsOf = (jobId: string, patienceMs: number) =>
    `/queries/${encodeURIComponent(jobId)}?${place}&timeoutMs=${Math.max(0, Math.round(patienceMs))}`;
  const patience = ({ deadline }: Bounds) => Math.min(PATIENCE_MS, (deadline - clock.now()) / 2);

  /** What a job ended with; undefined while it runs. @throws ConnectorError when it failed */
  async function ended(jobId: string, call: Bounds): Promise<JsonObject | undefined> {
    const results = await asked('GET', resultsOf(jobId, patience(call)), call);
    return results['jobComplete'] === true ? results : undefined;
  }

  async function select(statement: Statement, call: ConnectorCall): Promise<ConnectorResult> {
    let results = await asked('POST', '/queries', call, {
      ...queryOf(given, statement),
      requestId: keyUuid(call.idempotencyKey),
      timeoutMs: Math.max(0, Math.round(patience(call))),
      location: given.location,
    });
    const jobId = textAt(results, '/jobReference/jobId');
    while (results['jobComplete'] !== true) {
      if (jobId === undefined) throw new ConnectorError('ambiguous', 'BigQuery named no job for the query');
      results = await asked('GET', resultsOf(jobId, patience(call)), call);
    }
    return {
      kind: 'completed',
      data: rowsOf(results),
      ...(jobId !== undefined && { externalId: jobId }),
    };
  }

  async function change(statement: Statement, call: ConnectorCall): Promise<ConnectorResult> {
    const jobId = jobIdOf(call);
    const answer = await ask('POST', '/jobs', call, {
      jobReference: { projectId: given.project, jobId, location: given.location },
      configuration: { query: queryOf(given, statement) },
    });
    const deduplicated = answer.status === 409;
    if (!deduplicated && !succeeded(answer)) throw faultOfBigQuery(answer, clock.now());
    // The statement of a job that is there ends by itself: `accepted` says no more than that.
    while (given.wait && (await ended(jobId, call)) === undefined);
    return { kind: 'accepted', externalId: jobId, deduplicated };
  }

  return {
    plane,
    vendor: 'bigquery',
    dedupes: true,
    async run(action: RoutedAction, call: ConnectorCall): Promise<ConnectorResult> {
      const binding = bindingOf(action, 'table');
      const statement = statementOf(action, binding, call.idempotencyKey, given);
      return binding.operation === 'SELECT' ? select(statement, call) : change(statement, call);
    },
    async outcome(action: RoutedAction, call: ConnectorCall): Promise<Outcome> {
      // A read that is done again does no harm.
      if (bindingOf(action, 'table').operation === 'SELECT') return { kind: 'not_done' };
      const jobId = jobIdOf(call);
      const answer = await ask('GET', `/jobs/${encodeURIComponent(jobId)}?${place}`, call);
      if (answer.status === 404) return { kind: 'not_done' };
      if (!succeeded(answer)) throw faultOfBigQuery(answer, clock.now());
      const job = objectIn(answer);
      if (textAt(job, '/status/errorResult/reason') !== undefined) return { kind: 'not_done' };
      return { kind: 'accepted', externalId: jobId, deduplicated: true };
    },
    async health(signal: AbortSignal): Promise<PlaneHealth> {
      try {
        const call = { deadline: clock.now() + PATIENCE_MS, signal };
        const { status } = await ask('GET', `/datasets/${encodeURIComponent(given.dataset)}`, call);
        if (status < 300) return { status: 'healthy' };
        return { status: status === 404 || status === 429 ? 'degraded' : 'down', detail: `HTTP ${status}` };
      } catch (thrown) {
        const detail = thrown instanceof ConnectorError ? (thrown.vendorCode ?? thrown.fault) : 'timeout';
        return { status: 'down', detail };
      }
    },
    async close() {},
  };
}

function jobIdOf({ idempotencyKey }: ConnectorCall): string {
  return `aos_${keyUuid(idempotencyKey)}`;
}

function queryOf({ project, dataset, maximum_bytes_billed: bytes }: Settings, { text, values }: Statement): JsonObject {
  return {
    query: text,
    useLegacySql: false,
    parameterMode: 'POSITIONAL',
    queryParameters: values.map(parameterOf),
    defaultDataset: { projectId: project, datasetId: dataset },
    maximumBytesBilled: String(bytes),
  };
}

function parameterOf(value: BoundValue): JsonObject {
  const type = typeof value === 'number' ? numberType(value) : typeof value === 'boolean' ? 'BOOL' : 'STRING';
  return { parameterType: { type }, parameterValue: { value: value === null ? null : String(value) } };
}

function numberType(value: number): string {
  return Number.isSafeInteger(value) ? 'INT64' : 'FLOAT64';
}

const resultSet = z.object({
  schema: z.object({ fields: z.array(z.object({ name: z.string(), type: z.string() })) }).optional(),
  rows: z.array(z.object({ f: z.array(z.object({ v: z.json() })) })).default([]),
  pageToken: z.string().optional(),
});

/** Rows as objects, by the names of their columns. */
function rowsOf(results: JsonObject): JsonObject {
  const { schema, rows, pageToken } = resultSet.parse(results);
  const fields = schema?.fields ?? [];
  return {
    rows: rows.map(({ f }) =>
      Object.fromEntries(fields.map(({ name: column, type }, at) => [column, cellOf(f[at]?.v ?? null, type)])),
    ),
    row_count: rows.length,
    truncated: pageToken !== undefined,
  };
}

function cellOf(value: JsonValue, type: string): JsonValue {
  if (typeof value !== 'string') return value;
  if (type === 'BOOLEAN' || type === 'BOOL') return value === 'true';
  const isNumber = ['INTEGER', 'INT64', 'FLOAT', 'FLOAT64'].includes(type);
  // A number that JSON cannot carry without loss stays a text.
  return isNumber && String(Number(value)) === value ? Number(value) : value;
}

function objectIn({ data }: PlaneAnswer): JsonObject {
  if (isJsonObject(data)) return data;
  throw new ConnectorError('too_large', "BigQuery's answer is too large: ask for fewer rows or columns");
}
