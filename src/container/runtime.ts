/**
 * The runtime behind the doors, made and not yet at work: what stores, executes, queues, schedules and delivers. What
 * works on its own is listed in the order in which it is to be started; it is stopped in the reverse order.
 */
import { quickPace } from '../agents/model.ts';
import type { Config } from '../config.ts';
import type { Clock } from '../core/clock.ts';
import { newHexId, randomUnit } from '../core/ids.ts';
import type { Engine, RunProgram } from '../engine/engine.ts';
import { actionPairs } from '../fabric/action.ts';
import { hasTaskQuotas } from '../governance/limits/limit-document.ts';
import type { Health } from '../operations/health.ts';
import type { ActPerformer } from '../runs/durable-act.ts';
import type { Database } from '../store/database.ts';
import type { Env } from '../telemetry/export.ts';
import type { Log } from '../telemetry/log.ts';
import { loadAuditSigner } from './audit-key.ts';
import { createBudgeting } from './budgeting.ts';
import { createDelegation } from './delegation.ts';
import { createDirectPermission } from './egress.ts';
import { loadFabricConfig, openingFabric } from './fabric-config.ts';
import { createGovernance } from './governance.ts';
import type { Parts } from './loading.ts';
import type { Simulation } from './simulation.ts';

export interface RuntimeOptions {
  readonly parts: Parts;
  readonly config: Config;
  /** Where the secrets of planes are. */
  readonly environment: Env;
  readonly clock: Clock;
  readonly log: Log;
  readonly database: Database;
  readonly perform?: ActPerformer;
  /** How the server is; asked only when a task wants to know. */
  readonly health: () => Health;
  /** Stands in for everything outside. */
  readonly simulation: Simulation | undefined;
}

/** Something that works on its own. */
export interface Service {
  start(): Promise<void> | void;
  stop(): Promise<void> | void;
}

/** Where callbacks may go besides, when the operator says so: this machine and networks that are not public. */
const PRIVATE_ADDRESSES = [
  '127.0.0.0/8',
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '169.254.0.0/16',
  '::1/128',
  'fc00::/7',
  'fe80::/10',
];

export type Runtime = Awaited<ReturnType<typeof createRuntime>>;

export async function createRuntime(options: RuntimeOptions) {
  const { parts, config, clock, log, database, perform, simulation } = options;
  const isSimulation = simulation !== undefined;
  const { tenant, notifications } = database;
  const { captureContent } = config;
  const settings = config.runtime;
  const acts = perform === undefined ? {} : { perform };

  const records = parts.createRecordStore({ database, clock });
  const documents = parts.createSessionDocuments({ tenant, clock });
  const recorder = parts.createRecorder({ database, clock });
  const record = parts.createRecordingFetch(recorder);
  // What a model asks for never reaches private addresses, wherever callbacks may go.
  const toolFetch = isSimulation ? record : parts.createGuardedFetch({ clock });
  const standardTools = parts.createStandardTools({
    documents,
    fetch: toolFetch,
    record,
    permitDirect: (asked) => permitDirect(asked),
  });
  // The fabric is made from the governor, which knows the tools by name.
  const actionTool = parts.createActionTool((...order) => fabric.router.route(...order));
  // What hands work on comes last of all: it needs the queue.
  const delegateTool = parts.createDelegateTool({
    handOver: (work) => delegation.delegating.handOver(work),
    find: (caller, id) => delegation.delegationDesk.find(caller, id),
    clock,
  });
  const tools = parts.createToolSet([...standardTools, actionTool, delegateTool]);
  const toolNames = Object.keys(tools.versions);
  const shipped = await parts.loadCatalogue(config.registryPath, toolNames);
  const catalogue = parts.createAgentRegister({ shipped, records, notifications, toolNames });
  const simulatedModel = simulation?.model ?? parts.createModel({ provider: 'simulated', ...quickPace }, { clock });
  const prices = await parts.loadPrices(settings.pricesFile);
  const model = simulation?.model ?? parts.createModel(config.model, { clock, prices: prices.models });
  const { simulated } = model;

  const events = parts.createEventLog({ database, clock, ...acts });
  const runs = parts.createRunStore({
    database,
    events,
    clock,
    onQuota: (caller, refusal) => onQuota(caller, refusal),
    ...acts,
  });
  const feed = parts.createFeed({ database, clock, simulation: isSimulation });
  const audit = parts.createAudit({
    database,
    clock,
    log,
    simulation: isSimulation,
    signer: await loadAuditSigner({ file: settings.auditKeyFile, dataDir: config.dataDir }, log),
    onCheckpoint: (tenantId, { size, note }) =>
      log.info('the audit log was signed', { tenant_id: tenantId, size, note }),
    // The audit log is there before what it tells of.
    responsibility: (tenantId, entry) => parts.responsibilityIn(governance.matrixOf(tenantId), entry),
    plane: (tenantId) => fabric.contexts.of(tenantId),
  });
  const limits = parts.createLimitBook({ database, clock, log });
  const onQuota = parts.createQuotaLedger({ database, audit, clock, log });
  const socketRoom = parts.createSocketRoom({ database, limits, onQuota, clock, log });
  const rates = settings.rateLimits ? parts.createRateLimiter({ database, limits, audit, clock, log }) : undefined;
  const screen = parts.createScreen({ clock });
  const screeningBook = parts.createScreeningBook({ database, standard: settings.screening, clock, log });
  const dataGuard = parts.createDataGuard({
    screen,
    book: screeningBook,
    tell: (item) => feed.write(tenant(item.tenantId), item),
  });
  const memory = parts.createSessionMemory({ tenant, clock });
  const definitions = parts.createDefinitionStore({ database, clock });

  // Whoever answers a question wakes the run that asked; the engine that does it is made from the program that asks.
  const approvals = parts.createApprovalStore(database);
  const signal: Engine['signal'] = (...message) => engine.signal(...message);
  const desk = parts.createApprovalDesk({ database, approvals, events, feed, clock, log, signal });
  const outbox = parts.createOutbox({ database, clock });
  const budgeting = createBudgeting({
    parts,
    database,
    feed,
    desk,
    runs,
    signal,
    approversOf: (run, at) => governance.approversOf(run.caller, 'budget_top_up', at),
    clock,
    log,
  });
  const governance = await createGovernance({
    parts,
    config: settings.governance,
    environment: settings.environment,
    database,
    outbox,
    approvals: desk,
    actions: [
      ...toolNames.map((name) => `tool:${name}`),
      ...actionPairs.map((pair) => `fabric:${pair}`),
      ...parts.messageTypes.map((type) => `a2a:${type}`),
    ],
    // The one place for checks beside RACI and policy: rate, screening, budget.
    checks: [parts.createScreeningCheck(dataGuard), budgeting.check],
    prices: prices.actions,
    clock,
    log,
  });
  const { governor } = governance;
  const fabric = await openingFabric(
    parts.createFabric({
      database,
      feed,
      config: await loadFabricConfig(settings, simulation),
      simulation: isSimulation,
      allowScrappy: settings.environment !== 'production' || settings.allowScrappy,
      signal,
      readEnv: (name) => options.environment[name],
      clock,
      log,
      random: randomUnit,
      governor,
      egress: dataGuard.egress,
    }),
  );
  const permitDirect = createDirectPermission({
    contexts: fabric.contexts,
    allowed: settings.egress.allowHttpFetch,
    audit,
    database,
  });
  const fabricOf = async (tenantId: string) => parts.showContext(await fabric.contexts.of(tenantId));
  const { egress } = dataGuard;
  const { budgets } = budgeting;
  const answering = { catalogue, model, simulatedModel, tools, approvals: desk, governor, budgets, egress };
  const agentParts = { ...answering, clock, captureContent, log };
  const runProgram = parts.createRunProgram({ ...agentParts, memory, definitions, events });
  const taskProgram = parts.createTaskProgram({
    agents: agentParts,
    evaluation: parts.createEvaluation({ runs, events }),
    prepareOrchestration: async (payload, run) => gate.prepare(parts.workOfPayload(payload, []), run.caller),
    health: (caller) => options.health().ofTask(caller),
    router: fabric.router,
  });
  const program: RunProgram = parts.createScreenedProgram(dataGuard, (scope) =>
    (scope.run.kind === 'task' ? taskProgram : runProgram)(scope),
  );
  const { maxRuns, allowUnregisteredAgents } = settings;
  const engine: Engine = parts.createEngine({ database, runs, events, program, clock, log, maxRuns, ...acts });
  const gate = parts.createGate({
    catalogue,
    runs,
    engine,
    events,
    definitions,
    governor,
    clock,
    simulated,
    budgets: budgeting.ofRuns,
    simulation: isSimulation,
    toolVersions: tools.versions,
    allowUnregisteredAgents,
  });

  const { min, max } = settings.workers;
  const taskSettings = parts.createTaskSettings(database, {
    min_workers: min,
    max_workers: max,
    initial_workers: Math.min(Math.max(min, parts.defaultTaskSettings.initial_workers), max),
  });
  const queue = parts.createTaskQueue({
    database,
    engine,
    feed,
    settings: taskSettings,
    clock,
    log,
    fabric: fabricOf,
    governor,
    hasQuotas: (tenantId) => hasTaskQuotas(limits.of(tenantId)),
    onQuota,
    simulation: isSimulation,
  });
  const claims = parts.createTaskClaims({ database, feed, settings: taskSettings, clock, random: randomUnit });
  const loopLoad = parts.createLoopLoad(clock);
  const pool = parts.createWorkerPool({
    database,
    runs,
    engine,
    claims,
    settings: taskSettings,
    feed,
    clock,
    log,
    simulated,
    loopLoad,
  });
  const scheduler = parts.createScheduler({ database, queue, feed, clock, log });
  const jobs = parts.createJobStore({ database, queue, feed, clock, fabric: fabricOf, governor });
  const jobReader = parts.createJobReader({ tenant, clock });

  const callbackFetch = parts.createGuardedFetch(
    settings.allowPrivateCallbacks ? { clock, allow: PRIVATE_ADDRESSES } : { clock },
  );
  const fetch = isSimulation ? record : callbackFetch;
  const deliveries = parts.createDeliveries({ database, fetch, record, secret: settings.callbackSecret, clock, log });
  const partialResults = parts.createPartialResults(events);
  const callbacks = parts.createCallbacks({ database, outbox, runs, events, partialResults, clock, log });

  const delegation = createDelegation({
    parts,
    config: settings.delegation,
    database,
    catalogue,
    fabric,
    governor,
    dataGuard,
    audit,
    feed,
    queue,
    runs,
    signal,
    outbox,
    fetch,
    clock,
    log,
  });

  const wakingDefinitions: Service = {
    start: async () =>
      void (await parts.wakeRunsOfKnownDefinitions({ database, definitions, engine, toolVersions: tools.versions })),
    stop() {},
  };
  const retention = parts.createRetention({
    runs,
    outbox,
    mail: delegation.mail,
    days: settings.retentionDays,
    clock,
    log,
  });
  // The rules of screening are read while nobody waits for them; the first text would.
  const reading: Service = { start: () => void screen.rules(settings.screening.policy).catch(() => {}), stop() {} };
  const services: readonly Service[] = [
    // Stopped last: what the others do until then is told.
    audit,
    catalogue,
    fabric,
    screeningBook,
    limits,
    socketRoom,
    ...(rates === undefined ? [] : [rates]),
    governance.service,
    budgeting.service,
    engine,
    wakingDefinitions,
    deliveries,
    callbacks,
    desk,
    queue,
    delegation.agentProbe,
    delegation.delegationWatch,
    scheduler,
    pool,
    retention,
    reading,
  ];
  return {
    runtimeId: `aoa-runtime-${newHexId(4)}`,
    catalogue,
    model,
    tools,
    events,
    runs,
    feed,
    audit,
    fabric,
    sessions: memory,
    documents,
    records,
    approvals,
    desk,
    engine,
    gate,
    queue,
    claims,
    pool,
    scheduler,
    jobs,
    jobReader,
    outbox,
    governor,
    limits,
    rates,
    socketRoom,
    recorder,
    simulation,
    governance,
    budgeting,
    screen,
    screeningBook,
    dataGuard,
    callbacks,
    partialResults,
    ...delegation,
    services,
  };
}
