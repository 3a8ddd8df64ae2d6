/**
 * The code of the parts, read all at once and only when the container wants it: the database starts meanwhile.
 */

export type Parts = Awaited<ReturnType<typeof loadParts>>;

export async function loadParts() {
  const [store, egress, agents, runs, work, operations, api, invocations] = await Promise.all([
    loadStore(),
    loadEgress(),
    loadAgents(),
    loadRuns(),
    loadWork(),
    loadOperations(),
    loadApi(),
    loadInvocations(),
  ]);
  return { ...store, ...egress, ...agents, ...runs, ...work, ...operations, ...api, ...invocations };
}

async function loadStore() {
  return import('../store/database.ts');
}

async function loadEgress() {
  const [outbox, delivery, guardedFetch] = await Promise.all([
    import('../egress/outbox.ts'),
    import('../egress/delivery.ts'),
    import('../egress/guarded-fetch.ts'),
  ]);
  return { ...outbox, ...delivery, ...guardedFetch };
}

async function loadAgents() {
  const [catalogue, agent, model, session] = await Promise.all([
    import('../agents/catalogue.ts'),
    import('../agents/agent.ts'),
    import('../agents/model-choice.ts'),
    import('../agents/session.ts'),
  ]);
  return { ...catalogue, ...agent, ...model, ...session };
}

async function loadRuns() {
  const [eventLog, runStore, engine] = await Promise.all([
    import('../runs/event-log.ts'),
    import('../runs/run-store.ts'),
    import('../engine/run-engine.ts'),
  ]);
  return { ...eventLog, ...runStore, ...engine };
}

async function loadWork() {
  const [program, definitions, dispatch] = await Promise.all([
    import('../orchestration/program.ts'),
    import('../orchestration/definition-store.ts'),
    import('../dispatch.ts'),
  ]);
  return { ...program, ...definitions, ...dispatch };
}

async function loadOperations() {
  const [table, register, records, pulse, callback, partial] = await Promise.all([
    import('../operations/table.ts'),
    import('../operations/agent-register.ts'),
    import('../operations/record-store.ts'),
    import('../operations/run-pulse.ts'),
    import('../operations/callback.ts'),
    import('../operations/partial-result.ts'),
  ]);
  return { ...table, ...register, ...records, ...pulse, ...callback, ...partial };
}

async function loadApi() {
  const [routes, door, idempotency] = await Promise.all([
    import('../api/routes.ts'),
    import('../api/door.ts'),
    import('../api/idempotency.ts'),
  ]);
  return { ...routes, ...door, ...idempotency };
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
