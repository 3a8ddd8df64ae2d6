/**
 * A process with an engine, for tests that kill it: `node engine-program.ts <database url> <run id or ""> <plan JSON>`.
 * Writes one line per thing that happens: `ready`, `step <name>`, `aborted <step> <code>`, `ended <status>`.
 * The run's request says what it does: `steps` names, run one after another, or in parallel where an entry is an array.
 */

import { appendFileSync } from 'node:fs';
import { systemClock } from '../../src/core/clock.ts';
import type { RunProgram } from '../../src/engine/engine.ts';
import { createEngine } from '../../src/engine/run-engine.ts';
import { DEFAULT_TENANT, runKey } from '../../src/runs/run.ts';
import { openDatabase } from '../../src/store/database.ts';
import { silentLog } from './log.ts';
import { createTestRuns } from './runs.ts';

/** What the process does beside executing runs. */
export interface Plan {
  /** Begins this run once started. */
  readonly begin?: string;
  /** Kills itself (SIGKILL) when it reaches this point: `before:<step>`, `in:<step>` after its event, `after:<step>`. */
  readonly killAt?: string;
  /** A step of this name never ends by itself. */
  readonly stuckIn?: string;
  /** File that gets one line per execution of a step's body. */
  readonly journal?: string;
}

const [url = '', planText = '{}'] = process.argv.slice(2);
const plan: Plan = JSON.parse(planText);

const say = (line: string) => process.stdout.write(`${line}\n`);

function reach(point: string): void {
  if (plan.killAt === point) process.kill(process.pid, 'SIGKILL');
}

const program: RunProgram = async (scope) => {
  const phases = scope.run.request['steps'] as (string | string[])[];
  await scope.emit('run.started', { type: 'run.started', data: { plan: {} } });
  const results: string[] = [];
  for (const phase of phases) {
    const names = typeof phase === 'string' ? [phase] : phase;
    for (const name of names) reach(`before:${name}`);
    const steps = names.map((name) =>
      scope.step(name, async ({ signal }) => {
        say(`step ${name}`);
        if (plan.journal !== undefined) appendFileSync(plan.journal, `${name}\n`);
        await scope.emit(`${name}:delta`, {
          type: 'turn.delta',
          data: { turn: name, agent_id: 'a', offset: 0, text: `${name} speaks` },
        });
        reach(`in:${name}`);
        if (plan.stuckIn === name) {
          await new Promise((_, reject) => {
            const onAbort = () => {
              say(`aborted ${name} ${signal.reason.code}`);
              reject(signal.reason);
            };
            // The cancellation may have come while the event was being written.
            if (signal.aborted) onAbort();
            else signal.addEventListener('abort', onAbort);
          });
        }
        return `${name} says ${results.length}`;
      }),
    );
    results.push(...(await Promise.all(steps)));
    for (const name of names) reach(`after:${name}`);
  }
  return { results };
};

const database = await openDatabase({ url, clock: systemClock, log: silentLog });
const { runs, events } = createTestRuns(database);
const engine = createEngine({
  database,
  runs,
  events,
  program,
  clock: systemClock,
  log: silentLog,
  stopGraceMs: 1_000,
});
// Before the start: a run that waits begins during it.
process.on('SIGTERM', async () => {
  await engine.stop();
  await database.close();
  process.exit(0);
});
await engine.start();
say('ready');
if (plan.begin !== undefined) await engine.begin(runKey(DEFAULT_TENANT, plan.begin));
