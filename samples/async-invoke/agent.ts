/** Work that outlives the request for it: started in the background, asked about, cancelled. */
import { setTimeout as delay } from 'node:timers/promises';
import { AgentServer } from 'aos-agent-server';

interface Report {
  status: 'running' | 'completed' | 'cancelled' | 'failed';
  pages: number;
}

const jobs = new Map<string, { report: Report; abort: AbortController; ended: Promise<void> }>();
const server = new AgentServer();

server.onInvoke(async (request, { invocationId }) => {
  const { pages = 3 } = (await request.json()) as { pages?: number };
  const report: Report = { status: 'running', pages: 0 };
  // The context's own signal is about this request; the job needs one that lasts as long as the job.
  const abort = new AbortController();
  jobs.set(invocationId, { report, abort, ended: write(report, pages, abort.signal) });
  return Response.json({ invocation_id: invocationId, ...report }, { status: 202 });
});

server.onGetInvocation((_request, { invocationId }) => {
  const job = jobs.get(invocationId);
  return job === undefined ? notFound() : Response.json({ invocation_id: invocationId, ...job.report });
});

server.onCancelInvocation(async (_request, { invocationId }) => {
  const job = jobs.get(invocationId);
  if (job === undefined) return notFound();
  job.abort.abort();
  await job.ended;
  return Response.json({ invocation_id: invocationId, ...job.report });
});

async function write(report: Report, pages: number, signal: AbortSignal): Promise<void> {
  try {
    while (report.pages < pages) {
      // Stands in for a model call. Like `fetch`, it takes the signal: a cancel ends it at once, not after this page.
      await delay(200, undefined, { signal });
      report.pages += 1;
    }
    report.status = 'completed';
  } catch (error) {
    report.status = signal.aborted ? 'cancelled' : 'failed';
    if (!signal.aborted) server.log.error('the report could not be written', { error });
  }
}

function notFound(): Response {
  return Response.json({ error: { code: 'not_found', message: 'no such report' } }, { status: 404 });
}

await server.listen();
