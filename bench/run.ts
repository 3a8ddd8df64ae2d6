/**
 * `npm run bench [-- <section>…] [--quick]`: measures the built package beside its baselines and prints medians, spreads
 * and ratios, and what is aimed at; the figures of a whole run go to bench/results/latest.json. Everything that is compared runs in one session, in
 * turns (A B C A B C …), so that a noisy neighbour hurts all alike.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { figure, table } from './measure/table.ts';
import { type Aim, type Effort, isMet, type SectionResult } from './section.ts';
import { benchAudit } from './sections/audit.ts';
import { benchBudget } from './sections/budget.ts';
import { benchEngine } from './sections/engine.ts';
import { benchFabric } from './sections/fabric.ts';
import { benchFollow } from './sections/follow.ts';
import { benchGovernor } from './sections/governor.ts';
import { benchHttp } from './sections/http.ts';
import { benchIdentity } from './sections/identity.ts';
import { benchMemory } from './sections/memory.ts';
import { benchOverload } from './sections/overload.ts';
import { benchSchedule } from './sections/schedule.ts';
import { benchScreening } from './sections/screening.ts';
import { benchSse } from './sections/sse.ts';
import { benchStartup } from './sections/startup.ts';
import { benchWebSocket } from './sections/websocket.ts';

const sections: Record<string, (effort: Effort) => Promise<SectionResult>> = {
  http: benchHttp,
  ws: benchWebSocket,
  sse: benchSse,
  startup: benchStartup,
  memory: benchMemory,
  overload: benchOverload,
  engine: benchEngine,
  audit: benchAudit,
  governor: benchGovernor,
  fabric: benchFabric,
  budget: benchBudget,
  identity: benchIdentity,
  screening: benchScreening,
  schedule: benchSchedule,
  follow: benchFollow,
};

const quick = process.argv.includes('--quick');
const wanted = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const unknown = wanted.filter((name) => !(name in sections));
if (unknown.length > 0) {
  process.stderr.write(`no such section: ${unknown.join(', ')}; there are ${Object.keys(sections).join(', ')}\n`);
  process.exit(2);
}

const root = fileURLToPath(new URL('..', import.meta.url));
execFileSync('npm', ['run', '-s', 'build'], { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });

const effort: Effort = quick ? { rounds: 2, windowMs: 1000 } : { rounds: 5, windowMs: 2000 };
const environment = {
  at: new Date().toISOString(),
  node: process.version,
  cpu: `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}`,
  memoryGib: Math.round(totalmem() / 2 ** 30),
  kernel: release(),
  loadBefore: loadavg().map((load) => Number(load.toFixed(2))),
  effort,
};
print(
  `Node ${environment.node} on ${environment.cpu}, Linux ${environment.kernel}, load before ${environment.loadBefore.join(' ')}`,
);
print(
  `${effort.rounds} rounds of ${effort.windowMs} ms, in turns; median (min–max). Log level as by default unless named; logs to the null device.\n`,
);

const results: Record<string, unknown> = {};
const aims: Aim[] = [];
for (const [name, run] of Object.entries(sections)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const { data, text, ...section } = await run(effort);
  results[name] = data;
  aims.push(...section.aims);
  print(text);
}
print(
  table(
    'Aims (ratios are of CPU per request or message)',
    ['what', 'measured', 'aim', ''],
    aims.map((aim) => [aim.what, figure(aim.measured), `${aim.is} ${figure(aim.aim)}`, isMet(aim) ? 'met' : 'missed']),
  ),
);
mkdirSync(new URL('./results/', import.meta.url), { recursive: true });
// A part, or a quick look, is not what the figures in the notes refer to.
const file = quick || wanted.length > 0 ? 'part.tmp.json' : 'latest.json';
writeFileSync(
  new URL(`./results/${file}`, import.meta.url),
  `${JSON.stringify({ environment, aims, results }, null, 2)}\n`,
);

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
