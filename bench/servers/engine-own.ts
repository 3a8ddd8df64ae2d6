/** Our engine, from the built package, on the database whose URL is the first argument. */

import { randomUUID } from 'node:crypto';
import { DEFAULT_TENANT, partsOfKey, runKey } from '../../src/runs/run.ts';
import { type Contestant, serveTasks, sleep, wallMs } from '../load/engine-task.ts';

// By computed addresses: type checking must not depend on the build, and what is measured is the build.
const built = (path: string) => new URL(`../../dist/src/${path}`, import.meta.url).href;
const { openDatabase } = (await import(built('store/database.js'))) as typeof import('../../src/store/database.ts');
const { createEventLog } = (await import(built('runs/event-log.js'))) as typeof import('../../src/runs/event-log.ts');
const { createRunStore } = (await import(built('runs/run-store.js'))) as typeof import('../../src/runs/run-store.ts');
const { createEngine } = (await import(
  built('engine/run-engine.js')
)) as typeof import('../../src/engine/run-engine.ts');
const { systemClock: clock } = (await import(built('core/clock.js'))) as typeof import('../../src/core/clock.ts');

const log = { debug() {}, info() {}, warn() {}, error: (message: string) => process.stderr.write(`${message}\n`) };
const database = await openDatabase({ url: process.argv[2] ?? '', clock, log });
const ends = new Map<string, () => void>();
const waiting = new Set<string>();

const events = createEventLog({ database, clock });
const runs = createRunStore({ database, events, clock });
const engine = createEngine({
  database,
  runs,
  events,
  clock,
  log,
  program: async (scope) => {
    const { steps = 0, waits = false, tells = 0, gap_ms: gapMs = 0 } = scope.run.request;
    for (let number = 0; number < Number(steps); number++) await scope.step(`step-${number}`, async () => number);
    if (waits === true) await scope.wait({ name: 'answer', reason: 'input' });
    for (let number = 0; number < Number(tells); number++) {
      await scope.emit(`tell-${number}`, { type: 'run.progress', data: { progress: wallMs() } });
      await sleep(Number(gapMs));
    }
    return {};
  },
  // The end of a run, heard where it is stored: a door would follow the log, which is not what is measured here.
  perform: async (act, work) => {
    const done = await work(database.db);
    if (act.kind === 'move') ends.get(partsOfKey(act.run).runId)?.();
    if (act.kind === 'wait') waiting.add(act.run);
    return done;
  },
});

async function start(request: Record<string, number | boolean>, id: string = randomUUID()) {
  const ended = Promise.withResolvers<void>();
  ends.set(id, ended.resolve);
  const caller = { tenantId: 'default', userId: '' };
  await runs.admit({ id, kind: 'orchestration', sessionId: 's', caller, request, simulated: true, callId: '' });
  await engine.begin(runKey(DEFAULT_TENANT, id));
  return { done: ended.promise.finally(() => ends.delete(id)) };
}

const contestant: Contestant = {
  start: (steps) => start({ steps }),
  async park(count) {
    for (let number = 0; number < count; number++) await start({ waits: true });
    while (waiting.size < count) await sleep(20);
  },
  async tell(id, count, gapMs) {
    const { done } = await start({ tells: count, gap_ms: gapMs }, id);
    await done;
  },
  async *follow(id) {
    while ((await runs.load(runKey(DEFAULT_TENANT, id))) === undefined) await sleep(5);
    for await (const event of events.follow(runKey(DEFAULT_TENANT, id), 0))
      if (event.type === 'run.progress') yield event.data.progress;
  },
};

await engine.start();
serveTasks(contestant);
