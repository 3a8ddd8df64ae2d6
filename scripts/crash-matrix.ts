/**
 * `npm run crash-matrix [-- --quick] [-- --scenario <name>]…`: kills a process at every boundary of every kind of work,
 * has the next one go on, and compares what is left with work that was left alone. A whole run writes
 * docs/crash-matrix.md. Exit code 1 when anything differs.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { writeReport } from './crash-matrix/report.ts';
import { scenarios } from './crash-matrix/scenario.ts';
import { startMatrixServer } from './crash-matrix/server.ts';
import { type Trial, tryScenario } from './crash-matrix/trial.ts';

const QUICK_EVERY = 7;
/** Scenarios at a time: while one waits for a process to load, another works. */
const AT_ONCE = 3;

const { values: asked } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, scenario: { type: 'string', multiple: true } },
});
const unknown = asked.scenario?.filter((name) => !scenarios.some((scenario) => scenario.name === name)) ?? [];
if (unknown.length > 0) {
  process.stderr.write(
    `no such scenario: ${unknown.join(', ')}; there are ${scenarios.map(({ name }) => name).join(', ')}\n`,
  );
  process.exit(2);
}
const wanted = scenarios.filter(({ name }) => asked.scenario?.includes(name) ?? true);
const every = asked.quick ? QUICK_EVERY : 1;
const startedAt = new Date();

await using server = await startMatrixServer();
const trials = new Map<string, Trial>();
const line = [...wanted];
async function work(): Promise<void> {
  for (let scenario = line.shift(); scenario !== undefined; scenario = line.shift()) {
    const trial = await tryScenario(scenario, { server, every });
    trials.set(scenario.name, trial);
    const { killed, faults, seconds } = trial;
    process.stdout.write(
      `${scenario.name}: ${killed.before} killed before, ${killed.after} after, ${seconds.toFixed(0)} s${faults.length === 0 ? '' : `\n  ${faults.join('\n  ')}`}\n`,
    );
  }
}
await Promise.all(Array.from({ length: AT_ONCE }, work));

const seconds = (Date.now() - startedAt.getTime()) / 1000;
const results = wanted.flatMap(({ name }) => trials.get(name) ?? []);
const command = ['npm run crash-matrix', ...(process.argv.length > 2 ? ['--', ...process.argv.slice(2)] : [])].join(
  ' ',
);
const report = writeReport(results, { command, startedAt, seconds, every });
if (asked.scenario === undefined && !asked.quick) {
  writeFileSync(new URL('../docs/crash-matrix.md', import.meta.url), report);
} else process.stdout.write(`\n${report}`);
process.exitCode = results.some(({ faults }) => faults.length > 0) ? 1 : 0;
