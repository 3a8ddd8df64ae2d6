/**
 * The comparison every throughput section makes: the same load on several servers in turns, for several rounds, then
 * medians, and ratios against one baseline taken round by round.
 */
import type { WindowResult } from '../load/closed-loop.ts';
import { pairedRatio, type Spread, spread } from '../measure/statistics.ts';
import { figure, figures } from '../measure/table.ts';
import type { Aim } from '../section.ts';

export interface ComparisonRow {
  server: string;
  connections: number;
  perSecond: Spread;
  /** User and system time of the server per request, message or event. */
  cpuMicrosEach: Spread;
  /** Against the baseline in the same rounds; above 1 is better than the baseline. */
  rateRatio: Spread;
  cpuRatio: Spread;
  /** CPU of the generator as a share of one core: near 1, it is the bottleneck and only the CPU figures count. */
  generatorBusy: Spread;
  failures: number;
}

export interface Contender {
  name: string;
  /** One measured window at this number of connections. */
  measure(connections: number, warmUpMs: number): Promise<WindowResult>;
}

/** @param perReply how many units (requests, events) one counted reply stands for */
export async function compare(
  contenders: readonly Contender[],
  baseline: string,
  connectionCounts: readonly number[],
  rounds: number,
  perReply = 1,
): Promise<ComparisonRow[]> {
  const samples = new Map<string, WindowResult[]>();
  const of = (name: string, connections: number) => samples.get(`${name}/${connections}`) ?? [];
  for (let round = 0; round < rounds; round++) {
    for (const connections of connectionCounts) {
      for (const { name, measure } of contenders) {
        const result = await measure(connections, of(name, connections).length > 0 ? 300 : warmUpMs(samples, name));
        samples.set(`${name}/${connections}`, [...of(name, connections), result]);
      }
    }
  }
  const rate = ({ count, seconds }: WindowResult) => (count * perReply) / seconds;
  const cpu = ({ count, serverCpuMicros }: WindowResult) => serverCpuMicros / (count * perReply);
  return connectionCounts.flatMap((connections) =>
    contenders.map(({ name }) => {
      const own = of(name, connections);
      const base = of(baseline, connections);
      return {
        server: name,
        connections,
        perSecond: spread(own.map(rate)),
        cpuMicrosEach: spread(own.map(cpu)),
        rateRatio: pairedRatio(own.map(rate), base.map(rate)),
        cpuRatio: pairedRatio(base.map(cpu), own.map(cpu)),
        generatorBusy: spread(own.map((result) => result.generatorBusy)),
        failures: own.reduce((sum, result) => sum + result.failures, 0),
      };
    }),
  );
}

/** The compiler works on a server's code for several seconds, on its time; only then does a request cost what it costs. */
function warmUpMs(samples: ReadonlyMap<string, unknown>, name: string): number {
  return [...samples.keys()].some((key) => key.startsWith(`${name}/`)) ? 1000 : 5000;
}

/** That a server costs at most so much more CPU than the baseline, at each number of connections. */
export function aimsOf(rows: readonly ComparisonRow[], server: string, aim: number): Aim[] {
  return rows
    .filter((row) => row.server === server)
    .map((row) => ({
      what: `${server}, ${row.connections} connections: ratio`,
      measured: row.cpuRatio.median,
      is: 'at least',
      aim,
    }));
}

/** @param unit singular name of what is counted, e.g. `request` */
export function comparisonHeader(unit: string): string[] {
  return ['server', 'conns', `${unit}s/s`, `server CPU µs/${unit}`, 'rate ratio', 'CPU ratio', 'generator', 'failures'];
}

export function comparisonCells(row: ComparisonRow): string[] {
  return [
    row.server,
    String(row.connections),
    figures(row.perSecond),
    figures(row.cpuMicrosEach),
    figures(row.rateRatio),
    figures(row.cpuRatio),
    `${figure(row.generatorBusy.median * 100)} %`,
    String(row.failures),
  ];
}
