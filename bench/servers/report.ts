/** The server programs' side of the IPC channel: tells the port once, and memory when asked. */
import type { ServerReport } from '../measure/server-process.ts';

export function reportPort(port: number): void {
  tell({ port });
  process.on('message', (question) => {
    if (question !== 'memory') return;
    global.gc?.();
    tell({ memory: process.memoryUsage() });
  });
}

function tell(report: ServerReport): void {
  process.send?.(report);
}

/** Uses the CPU for `ms` milliseconds of this thread's own CPU time, as a handler that computes would. */
export function burnCpu(ms: number): number {
  const started = process.threadCpuUsage();
  let value = 0;
  for (;;) {
    for (let i = 0; i < 20_000; i++) value = (value * 31 + i) % 1_000_003;
    const used = process.threadCpuUsage(started);
    if (used.user + used.system >= ms * 1000) return value;
  }
}

/** One event of the benchmark streams, about as long as a token event of a real agent. */
export function sseEvent(number: number): string {
  return `id: ${number}\nevent: token\ndata: {"number":${number},"text":"a few words of an answer"}\n\n`;
}

/** Ends the current turn of the event loop: what every event of a stream waits for, so that writes are never merged. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A stream that produces `count` events, each in a turn of its own, on demand. */
export function eventStream(count: number): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let number = 0;
  return new ReadableStream({
    async pull(controller) {
      if (number === count) return controller.close();
      await nextTurn();
      controller.enqueue(encoder.encode(sseEvent(++number)));
    },
  });
}
