/**
 * A look-alike of BigQuery's REST interface, and of Google's token exchange, in front of PostgreSQL: judges a service
 * account's own token, remembers request ids and job ids, says that a job is not complete, and breaks as a test says.
 */
import { type DoubleAnswer, type DoubleRequest, type HttpDouble, startHttpDouble } from './http-double.ts';
import { judgedToken } from './judged-token.ts';
import type { Warehouse, WarehouseResult } from './warehouse.ts';

/** What becomes of the next request that begins a job: a status and reason of Google's, or broken off. */
export type BigQueryFault = 'before' | 'after' | { readonly status: number; readonly reason: string };

export interface BigQueryDouble extends HttpDouble {
  readonly faults: BigQueryFault[];
  /** How long an answer waits for its job at most. */
  patienceMs: number;
}

interface Job {
  readonly id: string;
  readonly end: Promise<void>;
  result?: WarehouseResult;
  error?: string;
}

interface Query {
  readonly query: string;
  readonly queryParameters: readonly { readonly parameterValue: { readonly value: string | null } }[];
  readonly defaultDataset: { readonly datasetId: string };
  readonly requestId?: string;
}

export const FEDERATED = 'federated-token';
const typeNames: Readonly<Record<number, string>> = { 16: 'BOOLEAN', 20: 'INTEGER', 701: 'FLOAT', 1114: 'TIMESTAMP' };

export async function startBigQueryDouble(
  warehouse: Warehouse,
  known: { readonly publicKey: string; readonly email: string; readonly subjectToken: string },
): Promise<BigQueryDouble> {
  const jobs = new Map<string, Job>();
  const byRequest = new Map<string, Job>();
  const faults: BigQueryFault[] = [];

  function isKnown({ headers }: DoubleRequest): boolean {
    if (headers.authorization === `Bearer ${FEDERATED}`) return true;
    const claims = judgedToken(headers.authorization, known.publicKey, 3600);
    const own = claims?.['iss'] === known.email && claims['sub'] === known.email;
    return own && claims['aud'] === 'https://bigquery.googleapis.com/';
  }

  /** Google's STS: a token of somebody it trusts for one of its own. */
  function exchanged({ body }: DoubleRequest): DoubleAnswer {
    const form = new URLSearchParams(body.toString());
    if (form.get('subject_token') !== known.subjectToken) return { status: 400, body: { error: 'invalid_grant' } };
    return { status: 200, body: { access_token: FEDERATED, expires_in: 3600, token_type: 'Bearer' } };
  }

  function begin(id: string, { query, queryParameters, defaultDataset }: Query): Job {
    const values = queryParameters.map(({ parameterValue }) => parameterValue.value);
    const end = warehouse.run(query, values, defaultDataset.datasetId).then(
      (result) => {
        job.result = result;
      },
      (error: Error) => {
        job.error = error.message;
      },
    );
    const job: Job = { id, end };
    jobs.set(id, job);
    return job;
  }

  async function view({ id, end }: Job): Promise<DoubleAnswer> {
    await Promise.race([end, new Promise((resolve) => setTimeout(resolve, double.patienceMs))]);
    const job = jobs.get(id);
    if (job?.error !== undefined) return refused(400, 'invalidQuery', job.error);
    const jobReference = { projectId: 'p1', jobId: id, location: 'EU' };
    if (job?.result === undefined) return { status: 200, body: { jobReference, jobComplete: false } };
    const fields = job.result.fields.map(({ name, oid }) => ({ name, type: typeNames[oid] ?? 'STRING' }));
    const rows = job.result.rows.map((row) => ({
      f: row.map((v, at) => ({ v: v !== null && fields[at]?.type === 'BOOLEAN' ? String(v === 't') : v })),
    }));
    return { status: 200, body: { jobReference, jobComplete: true, schema: { fields }, rows } };
  }

  async function beginning(begun: () => Job, answer: (job: Job) => Promise<DoubleAnswer>): Promise<DoubleAnswer> {
    const fault = faults.shift();
    if (fault === 'before') return 'break';
    if (typeof fault === 'object') return refused(fault.status, fault.reason, 'as the test says');
    const job = begun();
    const usual = await answer(job);
    return fault === 'after' ? 'break' : usual;
  }

  function query(asked: Query): Promise<DoubleAnswer> {
    const { requestId = crypto.randomUUID() } = asked;
    return beginning(() => {
      const job = byRequest.get(requestId) ?? begin(`job_${crypto.randomUUID()}`, asked);
      byRequest.set(requestId, job);
      return job;
    }, view);
  }

  function insert(asked: { jobReference: { jobId: string }; configuration: { query: Query } }): Promise<DoubleAnswer> {
    const { jobId } = asked.jobReference;
    if (jobs.has(jobId)) return Promise.resolve(refused(409, 'duplicate', `Already Exists: Job ${jobId}`));
    return beginning(
      () => begin(jobId, asked.configuration.query),
      async ({ id }) => ({ status: 200, body: { jobReference: { jobId: id }, status: { state: 'RUNNING' } } }),
    );
  }

  const server = await startHttpDouble((request) => {
    const { method, url, body } = request;
    if (url.pathname === '/sts/token') return exchanged(request);
    if (!isKnown(request)) return refused(401, 'authError', 'Invalid Credentials');
    const [, kind, id = ''] =
      /^\/bigquery\/v2\/projects\/p1\/(queries|jobs|datasets)(?:\/([^/]+))?$/.exec(url.pathname) ?? [];
    if (kind === 'datasets') return id === 'aos_staging' ? { status: 200, body: {} } : refused(404, 'notFound', id);
    if (method === 'POST') {
      const asked: unknown = JSON.parse(body.toString());
      return kind === 'queries' ? query(asked as Query) : insert(asked as Parameters<typeof insert>[0]);
    }
    const job = jobs.get(id);
    if (job === undefined) return refused(404, 'notFound', `Not found: Job ${id}`);
    // A job is found only where it runs.
    if (url.searchParams.get('location') !== 'EU') return refused(404, 'notFound', `Not found: Job ${id}`);
    if (kind === 'queries') return view(job);
    const errorResult = job.error === undefined ? undefined : { reason: 'invalidQuery', message: job.error };
    return { status: 200, body: { status: { state: 'DONE', errorResult } } };
  });
  const double: BigQueryDouble = { ...server, faults, patienceMs: 200 };
  return double;
}

function refused(status: number, reason: string, message: string): DoubleAnswer {
  return { status, body: { error: { code: status, message, errors: [{ domain: 'global', reason, message }] } } };
}
