/** Server-sent events: 64 streams of 100 events at a time, each event written in a turn of its own. */
import { startLoadProcess } from '../measure/load-process.ts';
import { type ServerProgram, startServer } from '../measure/server-process.ts';
import { table } from '../measure/table.ts';
import type { Effort, SectionResult } from '../section.ts';
import { compare, comparisonCells, comparisonHeader } from './comparison.ts';

const streams = 64;
const eventsPerStream = 100;

export async function benchSse(effort: Effort): Promise<SectionResult> {
  const load = startLoadProcess();
  const programs: (ServerProgram & { path: string })[] = [
    { name: 'node:http', file: 'node-http.ts', path: '/stream' },
    { name: 'hono', file: 'hono.ts', path: '/stream' },
    { name: 'host', file: 'host.ts', path: '/invocations' },
  ];
  const servers = await Promise.all(programs.map(startServer));
  const contenders = servers.map(({ name, port, pid }, index) => ({
    name,
    measure: (connections: number, warmUpMs: number) =>
      load.run({
        kind: 'closed-loop',
        port,
        serverPid: pid,
        connections,
        request: { method: 'POST', path: programs[index]?.path ?? '', accept: 'text/event-stream', body: '{}' },
        warmUpMs,
        measureMs: effort.windowMs,
      }),
  }));
  const rows = await compare(contenders, 'hono', [streams], effort.rounds, eventsPerStream);
  await Promise.all([load, ...servers].map((part) => part.stop()));
  return {
    data: rows,
    aims: [],
    text: table(
      `SSE: ${streams} streams × ${eventsPerStream} events, ratios against bare hono (node:http writes strings, the others Web streams)`,
      comparisonHeader('event'),
      rows.map(comparisonCells),
    ),
  };
}
