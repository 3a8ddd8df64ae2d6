/**
 * The engine on DBOS Transact: one workflow per run, with the run's id. The only file that knows DBOS, which is a
 * process-wide singleton; so is an engine that has been started.
 *
 * DBOS keeps the results of steps and says who owns a workflow. Cancelling, deadlines, retries and taking up the runs of
 * dead processes are our own (`execution.ts`, `step.ts`, `recovery.ts`): they act at once, DBOS polls.
 */
import { DBOS, DBOSClient, Error as DbosError, type DLogger } from '@dbos-inc/dbos-sdk';
import type { Clock, Timer } from '../core/clock.ts';
import { AosError, asError } from '../core/errors.ts';
import { newUuid } from '../core/ids.ts';
import type { EventLog } from '../runs/event-log.ts';
import type { RunStore } from '../runs/run-store.ts';
import type { Database } from '../store/database.ts';
import type { Log } from '../telemetry/log.ts';
import type { Engine, RunProgram } from './engine.ts';
import { createExecutions, type DurableStep, type Executions, RunLost } from './execution.ts';
import { executorLock, recoverRuns, type Workflows } from './recovery.ts';
import type { StepOutcome } from './step.ts';

const APPLICATION = 'aos-agent-server';
/** Not our release number: DBOS resumes only workflows of the same version, and an upgrade must not orphan runs. */
const APPLICATION_VERSION = 'aos-1';
const SCHEMA = 'aos_engine';
/** Names the state of DBOS's tables; changes with the release of DBOS that is pinned. */
const TABLES = 'engine: dbos 5.3.0';
const LAUNCH_RETRY_MS = 50;
/** Resumed workflows go through this queue. DBOS polls a queue: often while we start, rarely afterwards. */
const RESUME_QUEUE = 'resume';
const STARTUP_POLL_MS = 20;
const STEADY_POLL_MS = 1_000;
const STARTUP_PHASE_MS = 2_000;
const RECOVERY_INTERVAL_MS = 2_000;
const DEFAULT_STOP_GRACE_MS = 5_000;

export interface EngineParts {
  readonly database: Database;
  readonly runs: RunStore;
  readonly events: EventLog;
  readonly program: RunProgram;
  readonly clock: Clock;
  readonly log: Log;
  /** How long `stop` waits for steps in flight to be stored; they are repeated by the next process otherwise. */
  readonly stopGraceMs?: number;
}

/** The executions of the engine that is started; the registered workflow function needs a way to them. */
let current: Executions | undefined;

const executeRun = DBOS.registerWorkflow(
  async (runId: string): Promise<void> => {
    // Between two engines nothing may be stored as the outcome of a run, so it is left hanging.
    if (current === undefined) return new Promise(() => {});
    try {
      await current.execute(runId, durableStep);
    } catch (thrown) {
      throw thrown instanceof RunLost ? thrown.cause : thrown;
    }
  },
  { name: 'run' },
);

const durableStep: DurableStep = (name, work) =>
  DBOS.runStep(work, { name }).catch((failure: unknown): StepOutcome => {
    const lost =
      failure instanceof DbosError.DBOSWorkflowConflictError || failure instanceof DbosError.DBOSWorkflowCancelledError;
    throw lost ? new RunLost('another process owns the run now', { cause: failure }) : failure;
  });

/** Each engine has an executor id of its own; one engine at a time may be started in a process. */
export function createEngine(parts: EngineParts): Engine {
  const { database, runs, clock, log } = parts;
  const executorId = newUuid();
  const executions = createExecutions({ ...parts, executorId });
  const timers: Timer[] = [];
  let client: DBOSClient | undefined;
  let stopping = false;
  let recovering: Promise<void> = Promise.resolve();
  let stopListening: (() => void) | undefined;
  let releaseLock: (() => Promise<void>) | undefined;

  const logger = adaptLog(log);
  const connection = {
    systemDatabaseUrl: database.url,
    systemDatabasePool: database.pool,
    systemDatabaseSchemaName: SCHEMA,
    logger,
  };

  async function begin(runId: string): Promise<void> {
    // An admitted run is not lost by this: it is begun at the next start.
    if (stopping) throw new AosError('shutting_down', 'The server is stopping; the run goes on when it is back.');
    await DBOS.startWorkflow(executeRun, { workflowID: runId })(runId);
  }

  async function recover(workflows: Workflows, startup: boolean): Promise<readonly string[]> {
    return recoverRuns({ runs, workflows, locks: database.locks, clock, log, executorId }, startup);
  }

  /** Cancels what somebody asked to cancel while we could not hear it. */
  async function recheckCancellations(): Promise<void> {
    for (const id of executions.active()) {
      const reason = (await runs.load(id))?.cancelReason;
      if (reason != null) executions.cancel(id, reason);
    }
  }

  async function heardCancel(runId: string): Promise<void> {
    if (!executions.active().includes(runId)) return;
    const reason = (await runs.load(runId))?.cancelReason;
    if (reason != null) executions.cancel(runId, reason);
  }

  const complain = (what: string) => (failure: unknown) => log.error(what, { error: asError(failure) });

  return {
    begin,

    async start() {
      if (current !== undefined) throw new Error('an engine is started in this process already');
      current = executions;
      releaseLock = await database.locks.tryHold(executorLock(executorId));
      if (releaseLock === undefined) throw new Error('the database connection broke while the engine was starting');
      stopListening = await database.notifications.listen('aos_cancels', {
        heard: (runId) => void heardCancel(runId).catch(complain('a cancellation could not be looked up')),
        missed: () => void recheckCancellations().catch(complain('cancellations could not be looked up')),
      });
      client = await DBOSClient.create({ ...connection, applicationName: APPLICATION });
      const workflows = adaptWorkflows(client);

      DBOS.setConfig({
        ...connection,
        name: APPLICATION,
        applicationVersion: APPLICATION_VERSION,
        executorID: executorId,
        // Nothing of ours uses DBOS's own messages and events, which is what it would listen for.
        useListenNotify: false,
      });
      const queue = { minPollingIntervalMs: STARTUP_POLL_MS };
      if (await hasTables(database)) {
        // Before DBOS is launched, so that its first look at the queue finds them.
        await client.registerQueue(RESUME_QUEUE, queue);
        const unbegun = await recover(workflows, true);
        await DBOS.launch();
        for (const id of unbegun) await begin(id);
      } else {
        await launchFirst(database, clock);
        await client.registerQueue(RESUME_QUEUE, queue);
        for (const id of await recover(workflows, true)) await begin(id);
      }

      timers.push(
        clock.after(STARTUP_PHASE_MS, () => {
          client
            ?.registerQueue(RESUME_QUEUE, { minPollingIntervalMs: STEADY_POLL_MS })
            .catch(complain('the resume queue could not be slowed down'));
        }),
        clock.every(RECOVERY_INTERVAL_MS, () => {
          recovering = recovering
            .then(async () => {
              for (const id of await recover(workflows, false)) await begin(id);
            })
            .catch(complain('runs of other processes could not be taken up'));
        }),
      );
    },

    async stop() {
      stopping = true;
      for (const timer of timers) timer.cancel();
      stopListening?.();
      await recovering;
      await executions.stop(parts.stopGraceMs ?? DEFAULT_STOP_GRACE_MS);
      await DBOS.shutdown();
      await client?.destroy();
      await releaseLock?.();
      current = undefined;
    },

    signal: async () => false,
    async perform(runId) {
      await begin(runId);
      for await (const _event of parts.events.follow(runId, 0));
      const run = await runs.load(runId);
      if (run === undefined) throw new Error(`there is no run ${runId}`);
      return run;
    },
    backlog: () => ({ executing: executions.active().length, queued: 0, oldestWaitMs: 0 }),
    async cancel(runId, reason, caller) {
      const run = await runs.requestCancel(runId, reason, caller);
      // In this process without the way through the database; every other one is notified.
      if (run?.cancelReason != null) executions.cancel(runId, run.cancelReason);
      // A run that was never begun must still be ended by somebody.
      if (run?.status === 'queued') await begin(runId);
      return run;
    },
  };
}

/** Whether this version's tables of DBOS are complete. DBOS's own tables would also say so halfway through. */
async function hasTables({ pool }: Database): Promise<boolean> {
  const { rowCount } = await pool.query('select from aos.migrations where name = $1', [TABLES]);
  return rowCount === 1;
}

/**
 * Launches and makes the tables: one process at a time, DBOS's migrations break when two run them at once. The others
 * ask again and again rather than wait in the database: a waiting statement would keep the migrations from finishing.
 */
async function launchFirst({ pool, locks }: Database, clock: Clock): Promise<void> {
  let release = await locks.tryHold(TABLES);
  for (; release === undefined; release = await locks.tryHold(TABLES)) await clock.sleep(LAUNCH_RETRY_MS);
  try {
    await DBOS.launch();
    await pool.query('insert into aos.migrations (name) values ($1) on conflict do nothing', [TABLES]);
  } finally {
    await release();
  }
}

function adaptWorkflows(client: DBOSClient): Workflows {
  return {
    async find(runIds) {
      const found = await client.listWorkflows({ workflowIDs: [...runIds], loadInput: false, loadOutput: false });
      return found.map(({ workflowID, status, executorId }) => ({
        id: workflowID,
        state: status === 'PENDING' ? 'active' : status === 'ENQUEUED' || status === 'DELAYED' ? 'enqueued' : 'ended',
        executor: executorId,
      }));
    },
    async resume(runIds) {
      await client.resumeWorkflows([...runIds], { queueName: RESUME_QUEUE });
    },
  };
}

/** DBOS's chatter, one level lower than DBOS has it: its warnings are mostly about what we do on purpose. */
function adaptLog(log: Log): DLogger {
  const text = (entry: unknown) => (typeof entry === 'string' ? entry : JSON.stringify(entry));
  return {
    debug: (entry) => log.debug('workflow library', { entry: text(entry) }),
    info: (entry) => log.debug('workflow library', { entry: text(entry) }),
    warn: (entry) => log.info('workflow library', { entry: text(entry) }),
    error: (entry) => log.warn('workflow library', { entry: text(entry) }),
  };
}
