/**
 * The code of the parts, read all at once and only when the container wants it: the database starts meanwhile.
 */

export type Parts = Awaited<ReturnType<typeof loadParts>>;

export async function loadParts() {
  const [store, identity, egress, agents, runs, governance, budgets, work, tasks, operations, api, invocations] =
    await Promise.all([
      loadStore(),
      loadIdentity(),
      loadEgress(),
      loadAgents(),
      loadRuns(),
      loadGovernance(),
      loadBudgets(),
      loadWork(),
      loadTasks(),
      loadOperations(),
      loadApi(),
      loadInvocations(),
    ]);
  return {
    ...store,
    ...identity,
    ...egress,
    ...agents,
    ...runs,
    ...governance,
    ...budgets,
    ...work,
    ...tasks,
    ...operations,
    ...api,
    ...invocations,
  };
}

async function loadStore() {
  const [database, mode] = await Promise.all([import('../store/database.ts'), import('../store/database-mode.ts')]);
  return { ...database, ...mode };
}

async function loadIdentity() {
  const [identity, entrance, notice, ledger] = await Promise.all([
    import('../identity/identity.ts'),
    import('../identity/entrance.ts'),
    import('../identity/refusal-notice.ts'),
    import('../governance/audit/refusal-ledger.ts'),
  ]);
  return { ...identity, ...entrance, ...notice, ...ledger };
}

async function loadEgress() {
  const [outbox, delivery, guardedFetch, recorder] = await Promise.all([
    import('../egress/outbox.ts'),
    import('../egress/delivery.ts'),
    import('../egress/guarded-fetch.ts'),
    import('../egress/recorder.ts'),
  ]);
  return { ...outbox, ...delivery, ...guardedFetch, ...recorder };
}

async function loadAgents() {
  const [prices, catalogue, agent, model, session, documents, tool, standardTools] = await Promise.all([
    import('../agents/price-file.ts'),
    import('../agents/catalogue.ts'),
    import('../agents/agent.ts'),
    import('../agents/model-choice.ts'),
    import('../agents/session.ts'),
    import('../agents/session-documents.ts'),
    import('../agents/tool.ts'),
    import('../agents/standard-tools/standard-tools.ts'),
  ]);
  return { ...prices, ...catalogue, ...agent, ...model, ...session, ...documents, ...tool, ...standardTools };
}

async function loadRuns() {
  const [eventLog, runStore, feed, engine, approvalStore, desk, audit, responsibility] = await Promise.all([
    import('../runs/event-log.ts'),
    import('../runs/run-store.ts'),
    import('../runs/feed.ts'),
    import('../engine/run-engine.ts'),
    import('../governance/approval-store.ts'),
    import('../governance/durable-desk.ts'),
    import('../governance/audit/audit.ts'),
    import('../governance/audit/responsibility.ts'),
  ]);
  return { ...eventLog, ...runStore, ...feed, ...engine, ...approvalStore, ...desk, ...audit, ...responsibility };
}

async function loadBudgets() {
  const [book, ledger, budgets, check, admission, watch] = await Promise.all([
    import('../governance/budget/budget-book.ts'),
    import('../governance/budget/budget-ledger.ts'),
    import('../governance/budget/budgets.ts'),
    import('../governance/budget/budget-check.ts'),
    import('../governance/budget/admission.ts'),
    import('../governance/budget/budget-watch.ts'),
  ]);
  return { ...book, ...ledger, ...budgets, ...check, ...admission, ...watch };
}

async function loadGovernance() {
  const [
    decisions,
    prices,
    files,
    rulebook,
    conditions,
    rules,
    sequence,
    notices,
    standing,
    approver,
    screening,
    limits,
  ] = await Promise.all([
    import('../governance/decision-store.ts'),
    import('../governance/action-price.ts'),
    import('../governance/rule-file.ts'),
    import('../governance/rulebook.ts'),
    import('../governance/policy/condition.ts'),
    import('../governance/governor-rules.ts'),
    import('../governance/governor-sequence.ts'),
    import('../governance/raci/notice.ts'),
    import('../governance/raci/raci-check.ts'),
    import('../governance/raci/approver.ts'),
    loadScreening(),
    loadLimits(),
  ]);
  const judging = { ...rules, ...sequence, ...notices, ...standing, ...approver };
  return { ...decisions, ...prices, ...files, ...rulebook, ...conditions, ...judging, ...screening, ...limits };
}

async function loadLimits() {
  const [book, quotas, limiter, room] = await Promise.all([
    import('../governance/limits/limit-book.ts'),
    import('../governance/limits/quota-ledger.ts'),
    import('../governance/limits/rate-limiter.ts'),
    import('../governance/limits/socket-room.ts'),
  ]);
  return { ...book, ...quotas, ...limiter, ...room };
}

async function loadScreening() {
  const [screen, book, guard, check, program] = await Promise.all([
    import('../governance/screening/screen.ts'),
    import('../governance/screening/screening-book.ts'),
    import('../governance/screening/data-guard.ts'),
    import('../governance/screening/screening-check.ts'),
    import('../governance/screening/screened-program.ts'),
  ]);
  return { ...screen, ...book, ...guard, ...check, ...program };
}

async function loadWork() {
  const [program, patterns, definitions, wake, dispatch, fabric, fabricContext, actionTool] = await Promise.all([
    import('../orchestration/program.ts'),
    import('../orchestration/patterns.ts'),
    import('../orchestration/definition-store.ts'),
    import('../orchestration/definition-wake.ts'),
    import('../dispatch.ts'),
    import('../fabric/fabric.ts'),
    import('../fabric/fabric-context.ts'),
    import('../fabric/action-tool.ts'),
  ]);
  const fabrics = { ...fabric, ...fabricContext, ...actionTool };
  return { ...program, ...patterns, ...definitions, ...wake, ...dispatch, ...fabrics };
}

async function loadDelegation() {
  const [directory, probe, news, mail, contexts, log, desk, watch, rules, tool] = await Promise.all([
    import('../delegation/directory.ts'),
    import('../delegation/agent-probe.ts'),
    import('../delegation/news.ts'),
    import('../delegation/mail.ts'),
    import('../delegation/agent-context.ts'),
    import('../delegation/delegation-log.ts'),
    import('../delegation/delegation-desk.ts'),
    import('../delegation/delegation-watch.ts'),
    import('../delegation/delegation-rules.ts'),
    import('../delegation/delegate-tool.ts'),
  ]);
  return { ...directory, ...probe, ...news, ...mail, ...contexts, ...log, ...desk, ...watch, ...rules, ...tool };
}

async function loadAgentProtocol() {
  const [protocol, views, letters, ingress, egress, delegating, post] = await Promise.all([
    import('../operations/a2a-protocol.ts'),
    import('../operations/a2a-message-view.ts'),
    import('../operations/a2a-letter.ts'),
    import('../operations/a2a-ingress.ts'),
    import('../operations/a2a-egress.ts'),
    import('../operations/a2a-delegating.ts'),
    import('../operations/a2a-post.ts'),
  ]);
  return { ...protocol, ...views, ...letters, ...ingress, ...egress, ...delegating, ...post };
}

async function loadTasks() {
  const [settings, queue, claims, load, pool, program, recorded, scheduler, jobs, reader] = await Promise.all([
    import('../tasks/task-settings.ts'),
    import('../tasks/task-queue.ts'),
    import('../tasks/task-claims.ts'),
    import('../tasks/loop-load.ts'),
    import('../tasks/worker-pool.ts'),
    import('../tasks/task-program.ts'),
    import('../tasks/recorded-run.ts'),
    import('../scheduling/scheduler.ts'),
    import('../scheduling/job-store.ts'),
    import('../scheduling/job-reader.ts'),
  ]);
  const tasks = { ...settings, ...queue, ...claims, ...load, ...pool, ...program, ...recorded };
  return { ...tasks, ...scheduler, ...jobs, ...reader, ...(await loadDelegation()) };
}

async function loadOperations() {
  const [table, health, request, register, records, pulse, callback, partial, retention, figure] = await Promise.all([
    import('../operations/table.ts'),
    import('../operations/health.ts'),
    import('../operations/orchestration-request.ts'),
    import('../operations/agent-register.ts'),
    import('../operations/record-store.ts'),
    import('../operations/run-pulse.ts'),
    import('../operations/callback.ts'),
    import('../operations/partial-result.ts'),
    import('../operations/retention.ts'),
    import('../operations/figure.ts'),
  ]);
  const kept = { ...register, ...records, ...pulse, ...callback, ...partial, ...retention, ...figure };
  return { ...table, ...health, ...request, ...kept, ...(await loadAgentProtocol()) };
}

async function loadApi() {
  const [routes, door, idempotency, meter, instrument] = await Promise.all([
    import('../api/routes.ts'),
    import('../api/door.ts'),
    import('../api/idempotency.ts'),
    import('../api/request-meter.ts'),
    import('../api/instrument.ts'),
  ]);
  return { ...routes, ...door, ...idempotency, ...meter, ...instrument };
}

async function loadInvocations() {
  const [openapi, asyncapi, door, envelope, socket, routes, frontPage] = await Promise.all([
    import('../invocations/openapi.ts'),
    import('../invocations/asyncapi.ts'),
    import('../invocations/door.ts'),
    import('../invocations/envelope.ts'),
    import('../invocations/socket.ts'),
    import('../invocations/routes.ts'),
    import('../invocations/front-page.ts'),
  ]);
  return { ...openapi, ...asyncapi, ...door, ...envelope, ...socket, ...routes, ...frontPage };
}
