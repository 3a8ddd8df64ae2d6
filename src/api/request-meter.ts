/**
 * Counts the calls of the REST door: how many, with what outcome, and how long they took until their head was ready.
 * By route template, so that the number of series does not grow with the number of ids.
 */
import { exposed, type MetricFamily, type Sample } from './exposition.ts';

/** Upper bounds in seconds. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export interface RequestMeter {
  /** @param seconds from the request to its answer's head */
  observe(method: string, route: string, status: number, seconds: number): void;
  families(): readonly MetricFamily[];
}

interface Durations {
  readonly buckets: number[];
  sum: number;
  count: number;
}

export function createRequestMeter(): RequestMeter {
  const calls = new Map<string, { readonly labels: Record<string, string>; count: number }>();
  const durations = new Map<string, Durations & { readonly labels: Record<string, string> }>();

  return {
    observe(method, route, status, seconds) {
      const key = `${method} ${route}`;
      const call = calls.get(`${key} ${status}`) ?? { labels: { method, route, status: String(status) }, count: 0 };
      call.count++;
      calls.set(`${key} ${status}`, call);
      const took = durations.get(key) ?? { labels: { method, route }, buckets: BUCKETS.map(() => 0), sum: 0, count: 0 };
      durations.set(key, took);
      took.sum += seconds;
      took.count++;
      const bucket = BUCKETS.findIndex((bound) => seconds <= bound);
      if (bucket !== -1) took.buckets[bucket] = (took.buckets[bucket] ?? 0) + 1;
    },
    families: () => [
      exposed('aos_http_requests_total', 'counter', 'Calls of the REST door, by route and status', [
        ...[...calls.values()].map(({ labels, count }) => ({ labels, value: count })),
      ]),
      exposed('aos_http_request_duration_seconds', 'histogram', 'Seconds to the head of the answer', [
        ...[...durations.values()].flatMap(histogramSamples),
      ]),
    ],
  };
}

function histogramSamples({ labels, buckets, sum, count }: Durations & { labels: Record<string, string> }): Sample[] {
  let below = 0;
  const bounded = BUCKETS.map((bound, index) => {
    below += buckets[index] ?? 0;
    return { suffix: '_bucket', labels: { ...labels, le: String(bound) }, value: below };
  });
  return [
    ...bounded,
    { suffix: '_bucket', labels: { ...labels, le: '+Inf' }, value: count },
    { suffix: '_sum', labels, value: sum },
    { suffix: '_count', labels, value: count },
  ];
}
