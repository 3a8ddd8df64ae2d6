/** Bare DBOS, as its documentation uses it, on the database whose URL is the first argument. */
import { randomUUID } from 'node:crypto';
import { DBOS } from '@dbos-inc/dbos-sdk';
import { type Contestant, serveTasks, sleep, wallMs } from '../load/engine-task.ts';

const DAY_SECONDS = 86_400;
let waiting = 0;

const work = DBOS.registerWorkflow(
  async (steps: number) => {
    for (let number = 0; number < steps; number++) {
      await DBOS.runStep(async () => number, { name: `step-${number}` });
    }
    return {};
  },
  { name: 'work' },
);

const wait = DBOS.registerWorkflow(
  async () => {
    waiting++;
    return DBOS.recv<string>('answer', DAY_SECONDS);
  },
  { name: 'wait' },
);

const tell = DBOS.registerWorkflow(
  async (count: number, gapMs: number) => {
    for (let number = 0; number < count; number++) {
      await DBOS.writeStream('told', wallMs());
      await sleep(gapMs);
    }
    await DBOS.closeStream('told');
  },
  { name: 'tell' },
);

const contestant: Contestant = {
  async start(steps) {
    const handle = await DBOS.startWorkflow(work, { workflowID: randomUUID() })(steps);
    return { done: handle.getResult() };
  },
  async park(count) {
    for (let number = 0; number < count; number++) await DBOS.startWorkflow(wait)();
    while (waiting < count) await sleep(20);
  },
  async tell(id, count, gapMs) {
    const handle = await DBOS.startWorkflow(tell, { workflowID: id })(count, gapMs);
    await handle.getResult();
  },
  async *follow(id) {
    while ((await DBOS.getWorkflowStatus(id)) === null) await sleep(5);
    yield* DBOS.readStream<number>(id, 'told');
  },
};

const logger = {
  debug() {},
  info() {},
  warn() {},
  error: (entry: unknown) => process.stderr.write(`${String(entry)}\n`),
};
DBOS.setConfig({
  name: 'bench',
  systemDatabaseUrl: process.argv[2] ?? '',
  systemDatabaseSchemaName: 'bench_dbos',
  // As many connections as ours.
  systemDatabasePoolSize: 10,
  executorID: process.argv[3] ?? 'one',
  applicationVersion: '1',
  logger,
});
await DBOS.launch();
serveTasks(contestant);
