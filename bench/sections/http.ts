/** Requests per second and server CPU per request for a small JSON POST, at 1, 32 and 256 connections. */
import { startLoadProcess } from '../measure/load-process.ts';
import { type ServerProgram, startServer } from '../measure/server-process.ts';
import { table } from '../measure/table.ts';
import type { Effort, SectionResult } from '../section.ts';
import { aimsOf, compare, comparisonCells, comparisonHeader } from './comparison.ts';

const request = { method: 'POST', path: '/invocations', body: '{"name":"Ada"}' } as const;

export async function benchHttp(effort: Effort): Promise<SectionResult> {
  const sink = await startServer({ name: 'OTLP sink', file: 'otlp-sink.ts' });
  const programs: ServerProgram[] = [
    { name: 'node:http', file: 'node-http.ts' },
    { name: 'hono', file: 'hono.ts' },
    { name: 'host, tracing off', file: 'host.ts' },
    { name: 'host, tracing on', file: 'host.ts', env: tracingTo(sink.port) },
    { name: 'host, off, AOS_LOG_LEVEL=warning', file: 'host.ts', env: { AOS_LOG_LEVEL: 'warning' } },
  ];
  const load = startLoadProcess();
  const servers = await Promise.all(programs.map(startServer));
  const contenders = servers.map(({ name, port, pid }) => ({
    name,
    measure: (connections: number, warmUpMs: number) =>
      load.run({
        kind: 'closed-loop',
        port,
        serverPid: pid,
        connections,
        request,
        warmUpMs,
        measureMs: effort.windowMs,
      }),
  }));
  const rows = await compare(contenders, 'hono', [1, 32, 256], effort.rounds);
  const exportedKib = (await sink.received()) / 1024;
  await Promise.all([load, sink, ...servers].map((part) => part.stop()));
  return {
    data: { rows, exportedKib },
    aims: [...aimsOf(rows, 'host, tracing off', 0.85), ...aimsOf(rows, 'host, tracing on', 0.6)],
    text: table(
      `HTTP: small JSON POST, ratios against bare hono (the collector took ${Math.round(exportedKib)} KiB of spans and logs)`,
      comparisonHeader('request'),
      rows.map(comparisonCells),
    ),
  };
}

/** The environment that makes the host export spans and logs to a collector of ours. */
export function tracingTo(port: number): Record<string, string> {
  return {
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
    FOUNDRY_AGENT_NAME: 'bench',
    FOUNDRY_AGENT_VERSION: '1',
  };
}
