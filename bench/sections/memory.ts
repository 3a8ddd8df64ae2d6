/**
 * Memory: what one idle WebSocket costs at 2,000 of them, and what an idle server occupies. Both after a collection of
 * garbage, so that the figure is what is held, not what has not been swept yet.
 */
import { startLoadProcess } from '../measure/load-process.ts';
import { rssKib } from '../measure/process-usage.ts';
import { startServer } from '../measure/server-process.ts';
import { type Spread, spread } from '../measure/statistics.ts';
import { figures, table } from '../measure/table.ts';
import type { Effort, SectionResult } from '../section.ts';

const sockets = 2000;

interface MemoryRow {
  server: string;
  idleRssMib: Spread;
  /** Growth of the resident set per socket. */
  rssKibPerSocket: Spread;
  /** Growth of the JavaScript heap and of buffers outside it per socket. */
  heapKibPerSocket: Spread;
}

export async function benchMemory(effort: Effort): Promise<SectionResult> {
  const programs = [
    { name: 'ws', file: 'ws.ts' },
    { name: 'host', file: 'host.ts' },
  ];
  const samples = programs.map(() => ({ idle: [] as number[], rss: [] as number[], heap: [] as number[] }));
  for (let round = 0; round < Math.min(effort.rounds, 3); round++) {
    for (const [index, program] of programs.entries()) {
      const sample = samples[index];
      if (sample === undefined) continue;
      const server = await startServer(program);
      const load = startLoadProcess();
      // The first sockets also pay for code that is compiled once: they are opened, closed and not counted.
      await load.run({ kind: 'idle-sockets', port: server.port, path: '/invocations_ws', count: 200 });
      await load.run({ kind: 'close-idle-sockets' });
      await new Promise((resolve) => setTimeout(resolve, 500));
      const before = await server.memory();
      sample.idle.push(rssKib(server.pid) / 1024);
      await load.run({ kind: 'idle-sockets', port: server.port, path: '/invocations_ws', count: sockets });
      const after = await server.memory();
      sample.rss.push((after.rss - before.rss) / 1024 / sockets);
      sample.heap.push((after.heapUsed + after.external - before.heapUsed - before.external) / 1024 / sockets);
      await Promise.all([load.stop(), server.stop()]);
    }
  }
  const rows: MemoryRow[] = programs.map(({ name }, index) => ({
    server: name,
    idleRssMib: spread(samples[index]?.idle ?? []),
    rssKibPerSocket: spread(samples[index]?.rss ?? []),
    heapKibPerSocket: spread(samples[index]?.heap ?? []),
  }));
  return {
    data: rows,
    aims: rows
      .filter(({ server }) => server === 'host')
      .map(({ rssKibPerSocket: { median } }) => ({
        what: 'KiB per idle socket',
        measured: median,
        is: 'at most',
        aim: 20,
      })),
    text: table(
      `Memory: ${sockets} idle WebSockets`,
      ['server', 'RSS idle MiB', 'RSS KiB/socket', 'heap and buffers KiB/socket'],
      rows.map((row) => [
        row.server,
        figures(row.idleRssMib),
        figures(row.rssKibPerSocket),
        figures(row.heapKibPerSocket),
      ]),
    ),
  };
}
