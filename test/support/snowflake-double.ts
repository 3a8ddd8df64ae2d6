/**
 * A look-alike of Snowflake's SQL API in front of PostgreSQL: judges the token of a key pair, remembers request ids,
 * answers 202 for what takes long, cancels, and breaks as a test says.
 */
import { createHash, createPublicKey } from 'node:crypto';
import { type DoubleAnswer, type DoubleRequest, type HttpDouble, startHttpDouble } from './http-double.ts';
import { judgedToken } from './judged-token.ts';
import type { Warehouse, WarehouseResult } from './warehouse.ts';

/** What becomes of the next submission: refused for now or for good, broken off before or after it ran, or no gateway. */
export type SnowflakeFault =
  | 'throttled'
  | 'before'
  | 'after'
  | 'gateway'
  | { readonly status: number; readonly code: string };

export interface SnowflakeDouble extends HttpDouble {
  readonly faults: SnowflakeFault[];
  /** How long an answer waits for its statement before it is 202; 45 seconds in the real one. */
  patienceMs: number;
  readonly cancelled: readonly string[];
}

interface Running {
  readonly handle: string;
  readonly end: Promise<void>;
  result?: WarehouseResult;
  error?: { readonly code: string; readonly message: string };
}

interface Body {
  readonly statement: string;
  readonly schema: string;
  readonly bindings?: Readonly<Record<string, { readonly type: string; readonly value: string | null }>>;
}

const typeNames: Readonly<Record<number, string>> = { 16: 'boolean', 20: 'fixed', 701: 'real', 1114: 'timestamp_ntz' };

export async function startSnowflakeDouble(
  warehouse: Warehouse,
  known: { readonly publicKey: string; readonly subject: string },
): Promise<SnowflakeDouble> {
  const statements = new Map<string, Running>();
  const byRequest = new Map<string, Running>();
  const faults: SnowflakeFault[] = [];
  const cancelled: string[] = [];
  const spki = createPublicKey(known.publicKey).export({ type: 'spki', format: 'der' });
  const issuer = `${known.subject}.SHA256:${createHash('sha256').update(spki).digest('base64')}`;

  function isKnown({ headers }: DoubleRequest): boolean {
    if (headers['x-snowflake-authorization-token-type'] !== 'KEYPAIR_JWT') return false;
    const claims = judgedToken(headers.authorization, known.publicKey, 3600);
    return claims?.['iss'] === issuer && claims['sub'] === known.subject;
  }

  function begin({ statement, schema, bindings = {} }: Body): Running {
    const values = Object.keys(bindings)
      .toSorted((one, other) => Number(one) - Number(other))
      .map((place) => bindings[place]?.value ?? null);
    const end = warehouse.run(statement, values, schema).then(
      (result) => {
        running.result = result;
      },
      (error: { code: string; message: string }) => {
        running.error = error;
      },
    );
    const running: Running = { handle: crypto.randomUUID(), end };
    statements.set(running.handle, running);
    return running;
  }

  function view({ handle, result, error }: Running): DoubleAnswer {
    const about = { statementHandle: handle, statementStatusUrl: `/api/v2/statements/${handle}` };
    if (error !== undefined) {
      return { status: 422, body: { ...about, code: '000904', sqlState: error.code, message: error.message } };
    }
    if (result === undefined) return { status: 202, body: { ...about, code: '333334', message: 'in progress' } };
    const rowType = result.fields.map(({ name, oid }) => ({
      name: name.toUpperCase(),
      type: typeNames[oid] ?? 'text',
      scale: 0,
    }));
    const data = result.rows.map((row) => row.map((value, at) => booleanText(value, rowType[at]?.type)));
    const partitionInfo = [{ rowCount: data.length }];
    return {
      status: 200,
      body: { ...about, code: '090001', resultSetMetaData: { numRows: data.length, rowType, partitionInfo }, data },
    };
  }

  async function submit({ url, body }: DoubleRequest): Promise<DoubleAnswer> {
    const fault = faults.shift();
    if (fault === 'throttled') return { status: 429, headers: { 'retry-after': '2' }, body: { code: '390505' } };
    if (fault === 'before') return 'break';
    if (typeof fault === 'object')
      return { status: fault.status, body: { code: fault.code, message: 'as the test says' } };
    const requestId = url.searchParams.get('requestId');
    const earlier = url.searchParams.get('retry') === 'true' ? byRequest.get(requestId ?? '') : undefined;
    const running = earlier ?? begin(JSON.parse(body.toString()) as Body);
    if (requestId !== null) byRequest.set(requestId, running);
    if (url.searchParams.get('async') === 'true') return view({ handle: running.handle, end: running.end });
    const late = new Promise((resolve) => setTimeout(resolve, double.patienceMs));
    await Promise.race([running.end, late]);
    if (fault === 'after') return 'break';
    return fault === 'gateway' ? { status: 504 } : view(running);
  }

  const server = await startHttpDouble((request) => {
    const { method, url, headers } = request;
    if (headers['user-agent'] === undefined) return { status: 400, body: { code: '391902' } };
    if (!isKnown(request)) return { status: 401, body: { code: '390144', message: 'JWT token is invalid.' } };
    const [, handle, verb] = /^\/api\/v2\/statements(?:\/([^/]+))?(?:\/(cancel))?$/.exec(url.pathname) ?? [];
    if (handle === undefined) return method === 'POST' ? submit(request) : { status: 405 };
    const running = statements.get(handle);
    if (running === undefined) return { status: 404, body: { code: '000709', message: 'Statement not found' } };
    if (verb === undefined) return view(running);
    cancelled.push(handle);
    return { status: 200, body: { code: '000604', statementHandle: handle } };
  });
  const double: SnowflakeDouble = { ...server, faults, cancelled, patienceMs: 5_000 };
  return double;
}

/** PostgreSQL writes `t` where Snowflake writes `true`. */
function booleanText(value: string | null, type: string | undefined): string | null {
  return value === null || type !== 'boolean' ? value : String(value === 't');
}
