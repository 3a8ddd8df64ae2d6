/** Where batches of one kind go: the SDK's exporter behind a queue, and who hears when a batch is lost. */
import { context, ROOT_CONTEXT } from '@opentelemetry/api';
import { type ExportResult, ExportResultCode, suppressTracing } from '@opentelemetry/core';
import { runInScope } from '../core/call.ts';
import type { Clock } from '../core/clock.ts';
import { type Batch, type BatchLimits, createBatch } from './batch.ts';
import { type Env, setting } from './export.ts';
import type { LossReport } from './export-warning.ts';

/** What span and log exporters have in common. */
export interface Exporter<Item> {
  export(items: Item[], done: (result: ExportResult) => void): void;
  shutdown(): Promise<void>;
}

export interface Destination<Item> {
  readonly exporter: Exporter<Item>;
  readonly report: LossReport;
}

export function createDestinationBatch<Item>(
  destination: Destination<Item>,
  limits: BatchLimits,
  clock: Clock,
): Batch<Item> {
  const { exporter, report } = destination;
  // Sending belongs to no call, whoever caused it, and spans about sending spans would never end.
  const traceContext = suppressTracing(ROOT_CONTEXT);
  const send = (items: Item[]) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const settle = (result: ExportResult) => {
      if (result.code === ExportResultCode.SUCCESS) resolve();
      else reject(result.error ?? new Error('no reason given'));
    };
    runInScope({ call: undefined, traceContext }, () =>
      context.with(traceContext, () => exporter.export(items, settle)),
    );
    return promise;
  };
  return createBatch({ send, onSent: report.sent, onLost: report.lost, clock, limits });
}

/** `OTEL_BSP_…` (spans) and `OTEL_BLRP_…` (logs): the standard limits of the queues. */
export function batchLimits(env: Env, kind: 'BSP' | 'BLRP'): BatchLimits {
  const limit = (name: string, fallback: number) => {
    const value = Number(setting(env, `OTEL_${kind}_${name}`) ?? fallback);
    return Number.isInteger(value) && value > 0 ? value : fallback;
  };
  const queue = limit('MAX_QUEUE_SIZE', 4_096);
  return {
    queue,
    batch: Math.min(limit('MAX_EXPORT_BATCH_SIZE', 512), queue),
    delayMs: limit('SCHEDULE_DELAY', kind === 'BSP' ? 5_000 : 1_000),
  };
}
