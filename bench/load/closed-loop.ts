/**
 * Closed loop: each of N connections sends its next request as soon as the last one is answered. CPU of the server is
 * read at both ends of the measured window, in this process, so that no message delay falls between clock and counter.
 */
import { cpuMicros } from '../measure/process-usage.ts';
import { type HttpConnection, type HttpRequest, openHttpConnection, requestBytes } from './http-connection.ts';

export interface ClosedLoopTask {
  kind: 'closed-loop';
  port: number;
  serverPid: number;
  connections: number;
  request: HttpRequest;
  warmUpMs: number;
  measureMs: number;
}

export interface WindowResult {
  /** Replies with status 200 inside the window. */
  count: number;
  /** Any other reply, and connections lost. */
  failures: number;
  seconds: number;
  serverCpuMicros: number;
  /** Share of the window this generator was computing: near 1, the generator is the bottleneck. */
  generatorBusy: number;
}

export function runClosedLoop(task: ClosedLoopTask): Promise<WindowResult> {
  return new Promise((resolve) => {
    const bytes = requestBytes(task.port, task.request);
    const connections: HttpConnection[] = [];
    let count = 0;
    let failures = 0;
    let stopped = false;
    for (let i = 0; i < task.connections; i++) {
      connections.push(
        openHttpConnection(task.port, {
          onOpen: (connection) => connection.send(bytes),
          onReply: (connection, status) => {
            if (status === 200) count++;
            else failures++;
            if (!stopped) connection.send(bytes);
          },
          onClose: () => {
            if (!stopped) failures++;
          },
        }),
      );
    }
    setTimeout(() => {
      count = 0;
      failures = 0;
      const window = openWindow(task.serverPid);
      setTimeout(() => {
        stopped = true;
        const result = { count, failures, ...window.close() };
        for (const connection of connections) connection.destroy();
        resolve(result);
      }, task.measureMs);
    }, task.warmUpMs);
  });
}

/** Starts a measured window; `close` tells its length, the server's CPU and this process's own load. */
export function openWindow(serverPid: number): { close(): Omit<WindowResult, 'count' | 'failures'> } {
  const cpu = cpuMicros(serverPid);
  const own = process.cpuUsage();
  const started = performance.now();
  return {
    close() {
      const seconds = (performance.now() - started) / 1000;
      const { user, system } = process.cpuUsage(own);
      return { seconds, serverCpuMicros: cpuMicros(serverPid) - cpu, generatorBusy: (user + system) / (seconds * 1e6) };
    },
  };
}
