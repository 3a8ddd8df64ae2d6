/** Medians, spreads and percentiles. A benchmark reports the median of its rounds and shows the spread beside it. */

export interface Spread {
  median: number;
  min: number;
  max: number;
}

/** Median, least and greatest of the samples; all NaN when there are none. */
export function spread(samples: readonly number[]): Spread {
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  const lower = sorted[sorted.length % 2 === 1 ? middle : middle - 1] ?? Number.NaN;
  return { median: (lower + upper) / 2, min: sorted[0] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN };
}

/** The ratio of two series measured in the same rounds, taken round by round so that drift cancels out. */
export function pairedRatio(of: readonly number[], to: readonly number[]): Spread {
  return spread(of.map((value, round) => value / (to[round] ?? Number.NaN)));
}

/** The smallest sample not exceeded by the share `q` (0–1) of an ascending series. */
export function percentile(ascending: readonly number[], q: number): number {
  return ascending[Math.min(ascending.length - 1, Math.max(0, Math.ceil(q * ascending.length) - 1))] ?? Number.NaN;
}

export interface LatencySummary {
  count: number;
  p50: number;
  p99: number;
  max: number;
}

/** Count, median, 99th percentile and greatest of latencies in milliseconds. */
export function latencySummary(latenciesMs: readonly number[]): LatencySummary {
  const ascending = [...latenciesMs].sort((a, b) => a - b);
  return {
    count: ascending.length,
    p50: percentile(ascending, 0.5),
    p99: percentile(ascending, 0.99),
    max: ascending.at(-1) ?? Number.NaN,
  };
}
