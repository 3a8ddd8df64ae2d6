/**
 * The REST doors put together, beside the pages of the front: what is asked under `/api` and `/metrics` goes to the
 * operations, the rest to the front page. The protocol's own paths never come here.
 */
import type { Clock } from '../core/clock.ts';
import type { EgressGuard } from '../egress/egress-guard.ts';
import type { FetchApp } from '../host/endpoints.ts';
import type { Entrance } from '../identity/entrance.ts';
import type { Operation } from '../operations/operation.ts';
import type { Database } from '../store/database.ts';
import type { Log } from '../telemetry/log.ts';
import type { Parts } from './loading.ts';
import type { Runtime } from './runtime.ts';

export interface ApiDoorOptions {
  readonly parts: Parts;
  readonly entrance: Entrance;
  readonly runtime: Pick<Runtime, 'engine' | 'pool' | 'rates'>;
  readonly operations: readonly Operation[];
  readonly database: Database;
  readonly egress: Pick<EgressGuard, 'counts'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly stopping: AbortSignal;
  /** Answers what is not ours. */
  readonly front: FetchApp;
}

const SWEEP_MS = 3_600_000;

export function createApiApp(options: ApiDoorOptions): FetchApp & { stop(): void } {
  const { parts, entrance, operations, database, egress, clock, log, stopping, front } = options;
  const { engine, pool, rates } = options.runtime;
  const idempotency = parts.createIdempotency({ database, clock });
  const door = parts.createApiDoor({ entrance, idempotency, rates, clock, log, stopping });
  const meter = parts.createRequestMeter();
  const figures = parts.createFigures({ database, clock });
  const instruments = () => parts.readInstruments({ figures, engine, pool, meter, egress });
  const api = parts.createApiRoutes({ operations, door, meter, instruments, clock });
  const sweep = clock.every(SWEEP_MS, () => void idempotency.sweep().catch(() => {}));
  return {
    fetch: (request) => (isApi(request.url) ? api.fetch(request) : front.fetch(request)),
    stop: () => sweep.cancel(),
  };
}

function isApi(url: string): boolean {
  const path = url.slice(url.indexOf('/', url.indexOf('//') + 2));
  return /^\/(?:api(?:[/?]|$)|metrics\/?(?:\?|$))/.test(path);
}
