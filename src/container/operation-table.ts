/**
 * The operations of this container: the table, made from the parts of the runtime.
 */
import { getHeapStatistics } from 'node:v8';
import type { Clock } from '../core/clock.ts';
import { HOST_VERSION } from '../host/server-identity.ts';
import type { Health, HealthCheck } from '../operations/health.ts';
import type { Operation } from '../operations/operation.ts';
import type { Database } from '../store/database.ts';
import type { Log } from '../telemetry/log.ts';
import type { Parts } from './loading.ts';
import type { Runtime } from './runtime.ts';

export interface OperationTableOptions {
  readonly parts: Parts;
  readonly runtime: Runtime;
  readonly database: Database;
  readonly clock: Clock;
  readonly log: Log;
}

export function createContainerHealth({ parts, runtime, database, clock, log }: OperationTableOptions): Health {
  const { records, catalogue } = runtime;
  return parts.createHealth({
    database,
    records,
    agents: catalogue,
    clock,
    version: HOST_VERSION,
    runtimeId: runtime.runtimeId,
    checks: checksOf(runtime, clock),
    onFailure: (part, failure) => log.warn('a part could not be asked how it is', { part, error: failure }),
  });
}

/** How long what happened may wait for its place in the audit log. */
const AUDIT_LAG_MS = 60_000;

function checksOf(runtime: Runtime, clock: Clock): Readonly<Record<string, HealthCheck>> {
  const { simulation } = runtime;
  const { engine, model, claims, pool, scheduler, audit } = runtime;
  return {
    async engine() {
      const { executing, queued, oldestWaitMs } = engine.backlog();
      return { status: 'healthy', executing, queued, oldest_wait_ms: Math.round(oldestWaitMs) };
    },
    model: async () => ({
      status: 'healthy',
      model: model.name,
      provider: model.provider,
      simulated: model.simulated,
    }),
    ...(simulation !== undefined && {
      simulation: async () => ({
        status: 'healthy' as const,
        detail: 'everything outside is simulated; nothing leaves',
        scenario: simulation.scenario,
        seed: simulation.seed,
      }),
    }),
    async queue() {
      const { backlog, oldestWaitMs } = await claims.line();
      return { status: 'healthy', pending: backlog, oldest_wait_ms: Math.round(oldestWaitMs) };
    },
    async pool() {
      const { status, workers } = pool.stats();
      return { status: status === 'running' ? 'healthy' : 'degraded', workers: workers.length };
    },
    async audit() {
      const { facts, since = clock.now() } = await audit.backlog();
      const lagMs = clock.now() - since;
      const signed = audit.verifierKey !== undefined;
      return { status: lagMs > AUDIT_LAG_MS ? 'degraded' : 'healthy', waiting: facts, lag_ms: lagMs, signed };
    },
    async scheduler() {
      const { running, lagMs } = scheduler.stats();
      return { status: running ? 'healthy' : 'degraded', lag_ms: Math.round(lagMs) };
    },
  };
}

/** Share of the heap in use, 0..1. */
function memoryUse(): number {
  const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
  return used / limit;
}

export function createOperationTable(options: OperationTableOptions, health: Health): readonly Operation[] {
  const { parts, runtime, database, clock } = options;
  const { tenant } = database;
  return parts.createOperations({
    ...runtime,
    tenant,
    clock,
    health,
    agents: runtime.catalogue,
    pulse: parts.createRunPulse({ tenant }),
    mcpServers: [],
    figures: parts.createFigures({ database, clock }),
    memoryUse,
  });
}
