/**
 * Overload: ten times what the process can do, of requests that cost 10 ms of CPU each. Open loop at 1,000 requests per
 * second, and 2,560 connections in closed loop. A health check runs beside it on new connections; after the flood,
 * ordinary requests show when the process is back to normal.
 */
import type { FloodResult, FloodTask } from '../load/flood.ts';
import type { ProbeResult } from '../load/probe.ts';
import { startLoadProcess } from '../measure/load-process.ts';
import { type ServerProgram, startServer } from '../measure/server-process.ts';
import { figure, table } from '../measure/table.ts';
import type { Aim, Effort, SectionResult } from '../section.ts';

const burn = { method: 'POST', path: '/invocations', body: '{"name":"Ada"}' } as const;
const programs: (ServerProgram & { path: string })[] = [
  { name: 'hono', file: 'hono.ts', path: '/burn' },
  { name: 'host, overload: false', file: 'host.ts', args: ['burn', 'no-overload'], path: '/invocations' },
  { name: 'host, on', file: 'host.ts', args: ['burn'], path: '/invocations' },
  { name: 'host, on, handler waits 5 ms first', file: 'host.ts', args: ['burn', 'late'], path: '/invocations' },
];
const loads = [
  { name: 'open loop, 1,000/s', load: { perSecond: 1000 } },
  { name: 'closed loop, 2,560 conns', load: { connections: 2560 } },
] satisfies { name: string; load: FloodTask['load'] }[];

const timeoutMs = 5000;
/** "Normal" again: an ordinary request answered within this time. */
const normalMs = 100;

interface OverloadRow {
  server: string;
  load: string;
  flood: FloodResult;
  servedPerSecond: number;
  readiness: Omit<ProbeResult, 'samples'>;
  /** From the end of the flood to the first of the ordinary requests after which all are quick; in ms. */
  recoveryMs: number;
}

export async function benchOverload(effort: Effort): Promise<SectionResult> {
  const durationMs = effort.windowMs * 4;
  const rows: OverloadRow[] = [];
  for (const { name: loadName, load } of loads) {
    for (const program of programs) rows.push(await floodOnce(program, loadName, load, durationMs));
  }
  return {
    data: rows,
    aims: rows.filter(({ server }) => server.startsWith('host, on')).flatMap(aimsOf),
    text: table(
      `Overload: 10 ms of CPU per request for ${durationMs / 1000} s; time-out ${timeoutMs / 1000} s; latencies in ms as p50 / p99 / max`,
      [
        'server',
        'load',
        'sent',
        'served',
        '503',
        'timed out',
        'broken',
        'served/s',
        'latency served',
        'latency 503',
        '/readiness',
        'failed',
        'recovery ms',
      ],
      rows.map(({ server, load, flood, servedPerSecond, readiness, recoveryMs }) => [
        server,
        load,
        String(flood.sent),
        String(flood.served.count),
        String(flood.refused.count),
        String(flood.timedOut),
        String(flood.broken),
        figure(servedPerSecond),
        latencies(flood.served),
        latencies(flood.refused),
        latencies(readiness.ok),
        String(readiness.failed),
        Number.isFinite(recoveryMs) ? figure(recoveryMs) : 'never',
      ]),
    ),
  };
}

function aimsOf({ server, load, flood, readiness, recoveryMs }: OverloadRow): Aim[] {
  const at = `${server}; ${load}:`;
  return [
    { what: `${at} timed out or broken`, measured: flood.timedOut + flood.broken, is: 'at most', aim: 0 },
    { what: `${at} p99 of served, ms`, measured: flood.served.p99, is: 'at most', aim: 1000 },
    { what: `${at} slowest /readiness, ms`, measured: readiness.ok.max, is: 'at most', aim: 250 },
    { what: `${at} /readiness failed`, measured: readiness.failed, is: 'at most', aim: 0 },
    { what: `${at} back to normal after ms`, measured: recoveryMs, is: 'at most', aim: 1000 },
  ];
}

async function floodOnce(
  program: ServerProgram & { path: string },
  loadName: string,
  load: FloodTask['load'],
  durationMs: number,
): Promise<OverloadRow> {
  const server = await startServer(program);
  const flooder = startLoadProcess();
  const prober = startLoadProcess();
  const { port } = server;
  const readiness = { method: 'GET', path: '/readiness' } as const;
  const request = { ...burn, path: program.path };
  // Warm, then ask for health from a little before to a little after the flood.
  await prober.run({ kind: 'probe', port, request, everyMs: 50, durationMs: 1000, timeoutMs });
  const health = prober.run({ kind: 'probe', port, request: readiness, everyMs: 50, durationMs, timeoutMs });
  const flooded = flooder.run({ kind: 'flood', port, request, load, durationMs, timeoutMs });
  const { ok, failed } = await health;
  // The last requests of the flood leave when the health checks end: from here on the process is on its way back.
  const after = await prober.run({ kind: 'probe', port, request, everyMs: 100, durationMs: 4000, timeoutMs });
  const flood = await flooded;
  await Promise.all([server, flooder, prober].map((part) => part.stop()));
  const lastSlow = after.samples.findLastIndex(({ latencyMs }) => latencyMs < 0 || latencyMs > normalMs);
  const back = after.samples[lastSlow + 1];
  return {
    server: program.name,
    load: loadName,
    flood,
    servedPerSecond: flood.served.count / (durationMs / 1000),
    readiness: { ok, failed },
    recoveryMs: back?.atMs ?? Number.POSITIVE_INFINITY,
  };
}

function latencies({ count, p50, p99, max }: { count: number; p50: number; p99: number; max: number }): string {
  return count === 0 ? '–' : `${Math.round(p50)} / ${Math.round(p99)} / ${Math.round(max)}`;
}
