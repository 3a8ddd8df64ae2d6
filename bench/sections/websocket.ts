/** WebSocket echo: messages per second and server CPU per message against bare ws, 64-byte text messages. */
import { startLoadProcess } from '../measure/load-process.ts';
import { startServer } from '../measure/server-process.ts';
import { table } from '../measure/table.ts';
import type { Effort, SectionResult } from '../section.ts';
import { aimsOf, compare, comparisonCells, comparisonHeader } from './comparison.ts';

export async function benchWebSocket(effort: Effort): Promise<SectionResult> {
  const load = startLoadProcess();
  const servers = await Promise.all([
    startServer({ name: 'ws', file: 'ws.ts' }),
    startServer({ name: 'host (WebSocket)', file: 'host.ts' }),
  ]);
  const contenders = servers.map(({ name, port, pid }) => ({
    name,
    measure: (connections: number, warmUpMs: number) =>
      load.run({
        kind: 'echo',
        port,
        path: '/invocations_ws',
        serverPid: pid,
        connections,
        messageBytes: 64,
        warmUpMs,
        measureMs: effort.windowMs,
      }),
  }));
  const rows = await compare(contenders, 'ws', [1, 32, 256], effort.rounds);
  await Promise.all([load, ...servers].map((part) => part.stop()));
  return {
    data: rows,
    aims: aimsOf(rows, 'host (WebSocket)', 0.9),
    text: table(
      'WebSocket: echo of 64 bytes, one message in flight per socket, ratios against bare ws',
      comparisonHeader('message'),
      rows.map(comparisonCells),
    ),
  };
}
