/** Engines on a database for tests: each behaves like a process of its own, with a program the test gives it. */
import { type Clock, systemClock } from '../../src/core/clock.ts';
import type { Engine, RunProgram } from '../../src/engine/engine.ts';
import { createEngine, type EngineParts } from '../../src/engine/run-engine.ts';
import type { RunEvent } from '../../src/runs/event.ts';
import type { EventLog } from '../../src/runs/event-log.ts';
import { createEventLog } from '../../src/runs/event-log.ts';
import { DEFAULT_TENANT, keyOfRun, type Run, runKey } from '../../src/runs/run.ts';
import { createRunStore, type RunAdmission, type RunStore } from '../../src/runs/run-store.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { silentLog } from './log.ts';
import { testAdmission } from './runs.ts';

export interface TestEngine extends AsyncDisposable {
  readonly engine: Engine;
  readonly runs: RunStore;
  readonly events: EventLog;
  readonly database: Database;
  /** Admits a run and begins it. */
  begin(change?: Partial<RunAdmission>): Promise<Run>;
  /** The run's events, to its end. */
  watch(runId: string, tenantId?: string): Promise<RunEvent[]>;
  /** The run when it has ended. */
  ended(runId: string, tenantId?: string): Promise<Run>;
  /** Resolves when the run waits. */
  waits(runId: string, tenantId?: string): Promise<void>;
}

export interface TestEngineOptions extends Partial<Pick<EngineParts, 'maxRuns' | 'log' | 'perform' | 'stopGraceMs'>> {
  readonly clock?: Clock;
}

/** On connections of its own, as another process would be. */
export async function startTestEngine(
  url: string,
  program: RunProgram,
  { clock = systemClock, log = silentLog, ...options }: TestEngineOptions = {},
): Promise<TestEngine> {
  // The connections need real time, whatever time the engine lives in.
  const database = await openDatabase({ url, clock: systemClock, log });
  const events = createEventLog({ database, clock });
  const runs = createRunStore({ database, events, clock });
  const engine = createEngine({ database, runs, events, program, clock, log, ...options });
  await engine.start();

  async function watch(runId: string, tenantId = DEFAULT_TENANT): Promise<RunEvent[]> {
    return Array.fromAsync(events.follow(runKey(tenantId, runId), 0));
  }

  async function load(runId: string, tenantId = DEFAULT_TENANT): Promise<Run> {
    const run = await runs.load(runKey(tenantId, runId));
    if (run === undefined) throw new Error(`there is no run ${runId}`);
    return run;
  }

  return {
    engine,
    runs,
    events,
    database,
    watch,
    async begin(change = {}) {
      const { run } = await runs.admit(testAdmission(change));
      await engine.begin(keyOfRun(run));
      return run;
    },
    async ended(runId, tenantId) {
      await watch(runId, tenantId);
      return load(runId, tenantId);
    },
    async waits(runId, tenantId = DEFAULT_TENANT) {
      for await (const event of events.follow(runKey(tenantId, runId), 0)) {
        if (event.type === 'run.waiting' && (await load(runId, tenantId)).lastEvent === event.seq) return;
      }
      throw new Error(`the run ${runId} ended without waiting`);
    },
    async [Symbol.asyncDispose]() {
      await engine.stop();
      await database.close();
    },
  };
}
