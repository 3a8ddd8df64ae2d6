/**
 * A process with an engine and a pool of workers, for tests that kill it: `node worker-program.ts <database url> <plan JSON>`.
 * Says `ready`, `step <name>` when a step begins, `aborted <name>` when a stuck one is cancelled. A task's payload says
 * what its run does: see `programOf`.
 */

import { systemClock } from '../../src/core/clock.ts';
import { randomUnit } from '../../src/core/ids.ts';
import { isJsonObject } from '../../src/core/json.ts';
import type { RunProgram } from '../../src/engine/engine.ts';
import { createEngine } from '../../src/engine/run-engine.ts';
import { createFeed } from '../../src/runs/feed.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { createTaskClaims } from '../../src/tasks/task-claims.ts';
import { createTaskQueue } from '../../src/tasks/task-queue.ts';
import { createTaskSettings } from '../../src/tasks/task-settings.ts';
import { createWorkerPool } from '../../src/tasks/worker-pool.ts';
import { unenforcedGovernor } from './governance.ts';
import { silentLog } from './log.ts';
import { createTestRuns } from './runs.ts';

export interface WorkerPlan {
  /** A step of this name never ends by itself. */
  readonly stuckIn?: string;
  readonly say?: (line: string) => void;
}

/** The run of an attempt does the steps of `payload.steps`, then waits for a signal of the name `payload.wait`, if any. */
function programOf({ stuckIn, say = () => {} }: WorkerPlan): RunProgram {
  return async (scope) => {
    const payload = isJsonObject(scope.run.request['payload']) ? scope.run.request['payload'] : {};
    const names = Array.isArray(payload['steps']) ? payload['steps'].map(String) : [];
    for (const name of names) {
      await scope.step(name, async ({ signal }) => {
        say(`step ${name}`);
        if (name !== stuckIn) return name;
        return new Promise<string>((_, reject) => {
          signal.addEventListener('abort', () => {
            say(`aborted ${name}`);
            reject(signal.reason);
          });
        });
      });
    }
    const { wait } = payload;
    if (typeof wait !== 'string') return { steps: names };
    const signal = await scope.wait({ name: wait, reason: 'approval' });
    return { steps: names, said: signal?.payload ?? null };
  };
}

/** Everything real, on a database. */
export async function startWorkers(database: Database, plan: WorkerPlan = {}) {
  const parts = { database, clock: systemClock, log: silentLog };
  const { runs, events } = createTestRuns(database);
  const feed = createFeed(parts);
  const engine = createEngine({ ...parts, runs, events, program: programOf(plan), stopGraceMs: 200 });
  const settings = createTaskSettings(database);
  const queue = createTaskQueue({ ...parts, engine, feed, settings, governor: unenforcedGovernor() });
  const claims = createTaskClaims({ database, feed, settings, clock: systemClock, random: randomUnit });
  const pool = createWorkerPool({
    ...parts,
    runs,
    engine,
    claims,
    settings,
    feed,
    loopLoad: () => 0,
    simulated: true,
    stopGraceMs: 100,
  });
  await engine.start();
  await queue.start();
  await pool.start();
  return {
    queue,
    pool,
    engine,
    runs,
    async stop() {
      await pool.stop();
      queue.stop();
      await engine.stop();
    },
  };
}

if (import.meta.main) {
  const [url = '', planText = '{}'] = process.argv.slice(2);
  const say = (line: string) => process.stdout.write(`${line}\n`);
  await startWorkers(await openDatabase({ url, clock: systemClock, log: silentLog }), { ...JSON.parse(planText), say });
  say('ready');
}
