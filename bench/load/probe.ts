/** A health check as a platform makes it: one request after another at a fixed pace, each on a new connection. */
import { type LatencySummary, latencySummary } from '../measure/statistics.ts';
import { type HttpRequest, openHttpConnection, requestBytes } from './http-connection.ts';

export interface ProbeTask {
  kind: 'probe';
  port: number;
  request: HttpRequest;
  everyMs: number;
  durationMs: number;
  timeoutMs: number;
}

export interface ProbeResult {
  ok: LatencySummary;
  /** Other statuses, lost connections and time-outs. */
  failed: number;
  /** Every probe in order: when it was sent (ms since the start) and its latency; -1 when it failed. */
  samples: { atMs: number; latencyMs: number }[];
}

export async function runProbe(task: ProbeTask): Promise<ProbeResult> {
  const started = performance.now();
  const running: Promise<{ atMs: number; latencyMs: number }>[] = [];
  while (performance.now() - started < task.durationMs) {
    running.push(probeOnce(task, started));
    await new Promise((resolve) => setTimeout(resolve, task.everyMs));
  }
  const samples = await Promise.all(running);
  const answered = samples.filter(({ latencyMs }) => latencyMs >= 0);
  return {
    ok: latencySummary(answered.map(({ latencyMs }) => latencyMs)),
    failed: samples.length - answered.length,
    samples,
  };
}

function probeOnce(task: ProbeTask, started: number): Promise<{ atMs: number; latencyMs: number }> {
  return new Promise((resolve) => {
    const sent = performance.now();
    const settle = (latencyMs: number) => {
      clearTimeout(timeout);
      connection.destroy();
      resolve({ atMs: sent - started, latencyMs });
    };
    const connection = openHttpConnection(task.port, {
      onOpen: (opened) => opened.send(requestBytes(task.port, task.request)),
      onReply: (_, status) => settle(status === 200 ? performance.now() - sent : -1),
      onClose: () => settle(-1),
    });
    const timeout = setTimeout(() => settle(-1), task.timeoutMs);
  });
}
