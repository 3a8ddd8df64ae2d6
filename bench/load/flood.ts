/**
 * More load than a server can carry, and what becomes of every single request.
 *
 * Open loop: requests leave on a fixed schedule whatever the server does, each on an idle connection or a new one; their
 * latency counts from the scheduled moment, so that a late generator cannot hide a late server. Closed loop: a fixed
 * number of connections, each repeating as soon as it is answered, whatever the answer.
 */
import { type LatencySummary, latencySummary } from '../measure/statistics.ts';
import { type HttpConnection, type HttpRequest, openHttpConnection, requestBytes } from './http-connection.ts';

export interface FloodTask {
  kind: 'flood';
  port: number;
  request: HttpRequest;
  /** Requests per second on schedule, or connections in closed loop. */
  load: { perSecond: number } | { connections: number };
  durationMs: number;
  /** A request unanswered for this long has timed out; its connection is closed. */
  timeoutMs: number;
}

export interface FloodResult {
  sent: number;
  /** Latencies of replies with status 200, in ms. */
  served: LatencySummary;
  /** Latencies of replies with status 503. */
  refused: LatencySummary;
  timedOut: number;
  /** Connections lost with a request under way, and replies with any other status. */
  broken: number;
  /** Greatest delay of the schedule itself, in ms; 0 in closed loop. */
  scheduleLagMs: number;
  generatorBusy: number;
}

export function runFlood(task: FloodTask): Promise<FloodResult> {
  return new Promise((resolve) => {
    const bytes = requestBytes(task.port, task.request);
    const served: number[] = [];
    const refused: number[] = [];
    let sent = 0;
    let timedOut = 0;
    let broken = 0;
    let scheduleLagMs = 0;
    let stopped = false;
    const idle: HttpConnection[] = [];
    /** When the request now under way on a connection was due. Insertion order is nearly due order. */
    const due = new Map<HttpConnection, number>();
    const repeats = 'connections' in task.load;
    const started = performance.now();
    const own = process.cpuUsage();

    const begin = (connection: HttpConnection, dueAt: number) => {
      due.set(connection, dueAt);
      if (connection.open) connection.send(bytes);
    };
    const open = (dueAt: number) => {
      const connection = openHttpConnection(task.port, {
        onOpen: (opened) => {
          // A client in closed loop begins when it is connected; a schedule does not wait for that.
          if (repeats) due.set(opened, performance.now());
          opened.send(bytes);
        },
        onReply: (from, status) => {
          const now = performance.now();
          const latency = now - (due.get(from) ?? now);
          due.delete(from);
          if (status === 200) served.push(latency);
          else if (status === 503) refused.push(latency);
          else broken++;
          if (!repeats) idle.push(from);
          else if (!stopped) {
            sent++;
            begin(from, now);
          }
        },
        onClose: (closed) => {
          if (due.delete(closed)) broken++;
          const at = idle.indexOf(closed);
          if (at >= 0) idle.splice(at, 1);
          if (repeats && !stopped) {
            sent++;
            open(performance.now());
          }
        },
      });
      due.set(connection, dueAt);
    };

    const { load } = task;
    if ('connections' in load) {
      for (; sent < load.connections; sent++) open(started);
    }
    const tick = setInterval(() => {
      const now = performance.now();
      if ('perSecond' in load && !stopped) {
        const total = Math.floor((Math.min(now - started, task.durationMs) / 1000) * load.perSecond);
        for (; sent < total; sent++) {
          const dueAt = started + ((sent + 1) * 1000) / load.perSecond;
          scheduleLagMs = Math.max(scheduleLagMs, now - dueAt);
          const connection = idle.pop();
          if (connection === undefined) open(dueAt);
          else begin(connection, dueAt);
        }
      }
      for (const [connection, dueAt] of due) {
        if (now - dueAt <= task.timeoutMs) break;
        due.delete(connection);
        timedOut++;
        connection.destroy();
      }
      if (now - started >= task.durationMs) stopped = true;
      if (stopped && due.size === 0) finish();
    }, 1);

    function finish(): void {
      clearInterval(tick);
      for (const connection of idle) connection.destroy();
      const { user, system } = process.cpuUsage(own);
      resolve({
        sent,
        served: latencySummary(served),
        refused: latencySummary(refused),
        timedOut,
        broken,
        scheduleLagMs,
        generatorBusy: (user + system) / 1000 / (performance.now() - started),
      });
    }
  });
}
