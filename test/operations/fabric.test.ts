import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { readFabricFile } from '../../src/fabric/fabric-file.ts';
import { createFabricOperations } from '../../src/operations/fabric.ts';
import { fabricSpecs } from '../../src/operations/fabric-spec.ts';
import type { Operation } from '../../src/operations/operation.ts';
import { createTaskQueue } from '../../src/tasks/task-queue.ts';
import { createTaskSettings } from '../../src/tasks/task-settings.ts';
import { createTestAudit } from '../support/audit.ts';
import { createTestDatabase } from '../support/database.ts';
import {
  actionIdOf,
  anyProxy,
  anyTopic,
  simulatedPlane,
  startTestFabric,
  type TestFabric,
} from '../support/fabric-run.ts';
import { unenforcedGovernor } from '../support/governance.ts';
import { silentLog } from '../support/log.ts';

const caller = { tenantId: 'acme', userId: 'eve' };
let url: string;
let test: TestFabric;
let audit: ReturnType<typeof createTestAudit>;
let operations: readonly Operation[];

const planes = {
  ipaas: simulatedPlane({ script: ['ambiguous'], dedupes: false, tells: false }),
  api_gateway: simulatedPlane({}, anyProxy),
  event_bus: simulatedPlane({}, anyTopic),
  custom_sap: { vendor: 'simulated', bindings: { 'erp:*': { path: '/sap/{id}' } } },
};

beforeAll(async () => {
  url = await createTestDatabase();
  const config = readFabricFile(JSON.stringify({ preset: 'preset_2_ipaas_first', planes }));
  test = await startTestFabric({ url, config, allowScrappy: false });
  const { database, engine } = test.engine;
  const settings = createTaskSettings(database);
  const queue = createTaskQueue({
    database,
    engine,
    feed: test.feed,
    settings,
    clock: systemClock,
    log: silentLog,
    governor: unenforcedGovernor(),
  });
  audit = createTestAudit(database);
  operations = createFabricOperations({ fabric: test.fabric, queue, engine, audit, tenant: database.tenant });
});
afterAll(() => test[Symbol.asyncDispose]());
afterEach(async () => {
  await perform('fabric.preset', { preset: '2' });
});

async function perform(name: string, input: JsonObject = {}, by = caller): Promise<JsonObject> {
  const operation = operations.find(({ spec }) => spec.name === name);
  if (operation === undefined) throw new Error(`there is no ${name}`);
  const output = await operation.perform(input, { caller: by, signal: new AbortController().signal, callId: '' });
  expect(operation.spec.output.safeParse(output).error).toBeUndefined();
  return output;
}

const isFigure = (value: unknown) => value === null || typeof value === 'number';

describe('the fabric API', () => {
  it('has examples that fit', () => {
    for (const { name, output, example } of fabricSpecs) {
      if (example?.output !== undefined) expect(output.safeParse(example.output).error, name).toBeUndefined();
    }
  });

  it('shows the context of the tenant', async () => {
    expect(await perform('fabric.context')).toMatchObject({
      primary_plane_id: 'ipaas_acme',
      Primary_Plane_ID: 'ipaas_acme',
      fabric_preset: 'preset_2_ipaas_first',
      is_direct_allowed: false,
      tenant_id: 'acme',
      plane_name: 'iPaaS Plane',
      planes_required: ['ipaas'],
    });
  });

  it('changes the preset of one tenant, and tells who did', async () => {
    expect(await perform('fabric.preset', { fabric_preset: 'platform', reason: 'load test' })).toMatchObject({
      previous_preset: 'preset_2_ipaas_first',
      fabric_preset: 'preset_4_event_bus_first',
      primary_plane_id: 'eventbus_acme',
      is_direct_allowed: false,
      audit_seq: expect.any(Number),
    });
    expect(await perform('fabric.context')).toMatchObject({ changed_by: 'eve' });
    expect(await perform('fabric.context', {}, { tenantId: 'other', userId: '' })).toMatchObject({
      fabric_preset: 'preset_2_ipaas_first',
      changed_by: null,
    });
    await expect
      .poll(async () => (await test.facts('acme')).at(-1))
      .toMatchObject({
        type: 'fabric.preset_changed',
        data: { previous_preset: 'preset_2_ipaas_first', changed_by: 'eve', reason: 'load test', forced: false },
      });
  });

  it('names the planes that a preset lacks, unless it is forced', async () => {
    await expect(perform('fabric.preset', { preset: 'full_enterprise' })).rejects.toMatchObject({
      code: 'conflict',
      reason: 'PLANES_MISSING',
      facts: { missing: ['data_warehouse'] },
    });
    expect(await perform('fabric.preset', { preset: 'full_enterprise', force: true })).toMatchObject({
      fabric_preset: 'preset_1_full_enterprise',
    });
  });

  it.each([
    ['preset_99', 'unprocessable', 'UNKNOWN_PRESET'],
    ['scrappy', 'forbidden', 'DIRECT_FORBIDDEN'],
  ])('refuses the preset %s', async (preset, code, reason) => {
    await expect(perform('fabric.preset', { preset, force: true })).rejects.toMatchObject({ code, reason });
  });

  it('lists the planes, those that are missing too', async () => {
    const { items, total } = (await perform('fabric.planes')) as { items: JsonObject[]; total: number };
    expect(total).toBe(6);
    expect(
      items.map((plane) => [plane['plane_id'], plane['configured'], plane['is_primary'], plane['routes']]),
    ).toEqual([
      ['ipaas_acme', true, true, 99],
      ['gateway_acme', true, false, 99],
      ['eventbus_acme', true, false, 99],
      ['warehouse_acme', false, false, 0],
      ['scrappy_acme', false, false, 0],
      ['custom_sap_acme', true, false, 9],
    ]);
    expect(items[0]).toEqual({
      plane_id: 'ipaas_acme',
      plane: 'ipaas',
      name: 'iPaaS Plane',
      purpose: 'Multi-step workflows',
      provider: 'simulated',
      supported_systems: ['workato', 'tray.io', 'celigo'],
      is_active: true,
      is_primary: true,
      configured: true,
      health_status: expect.any(String),
      health_detail: null,
      last_health_check: null,
      circuit: 'closed',
      self_healing_enabled: true,
      health_check_interval_seconds: 60,
      routes: 99,
      dedupes: false,
      stats: { actions: expect.any(Number), failed: expect.any(Number), p95_ms: expect.toSatisfy(isFigure) },
      drill: null,
    });
    expect(items[4]).toMatchObject({ supported_systems: [], self_healing_enabled: false, is_active: false });
  });

  it('checks a plane, takes it down for a drill and brings it back', async () => {
    const plane_id = 'gateway_acme';
    expect(await perform('fabric.planes.check', { plane_id })).toMatchObject({ health_status: 'healthy' });
    expect(await perform('fabric.planes.drill', { plane_id, minutes: 5, reason: 'practice' })).toMatchObject({
      plane_id,
      started_by: 'eve',
    });
    const { items } = (await perform('fabric.planes')) as { items: JsonObject[] };
    expect(items[1]).toMatchObject({ health_status: 'down', health_detail: 'DRILL', drill: { reason: 'practice' } });
    expect(await perform('fabric.planes.end_drill', { plane_id })).toMatchObject({
      health_status: 'healthy',
      drill: null,
    });
    await expect(perform('fabric.planes.end_drill', { plane_id })).rejects.toMatchObject({ code: 'not_found' });
    await expect(perform('fabric.planes.check', { plane_id: 'gateway_other' })).rejects.toMatchObject({
      code: 'not_found',
    });
  });

  it('shows the routing table and orders one cell otherwise', async () => {
    const cell = { preset: '2', target_system: 'erp', action_type: 'update' };
    expect(await perform('fabric.routes')).toMatchObject({ total: 99 });
    expect(await perform('fabric.routes.set', { ...cell, planes: ['custom_sap', 'gateway_acme'] })).toMatchObject({
      planes: ['custom_sap', 'api_gateway'],
      capable: ['custom_sap', 'api_gateway'],
      overridden: true,
    });
    const run = await test.route({ target: 'erp' });
    expect(run.result).toMatchObject({ routed_plane_id: 'custom_sap_acme', execution_path: 'custom' });
    expect(await perform('fabric.routes.set', { ...cell, planes: null })).toMatchObject({
      planes: ['ipaas', 'api_gateway'],
      overridden: false,
    });
  });

  it.each([
    [{ planes: ['direct'] }, 'forbidden', 'DIRECT_FORBIDDEN'],
    [{ planes: ['tube'] }, 'unprocessable', 'UNKNOWN_PLANE'],
    [{ planes: ['custom_none'] }, 'unprocessable', 'UNKNOWN_PLANE'],
    [{ planes: [] }, 'unprocessable', undefined],
    [{ planes: ['ipaas'], target_system: 'fax' }, 'unprocessable', 'UNKNOWN_TARGET'],
  ])('refuses a cell that cannot be: %j', async (change, code, reason) => {
    const cell = { preset: '2', target_system: 'crm', action_type: 'update', ...change };
    await expect(perform('fabric.routes.set', cell)).rejects.toMatchObject({ code, reason });
  });

  it('puts an action in line as a task of its id, once', async () => {
    const asked = { action_id: 'refund-1', target_system: 'finance', action_type: 'create', data: { amount: 5 } };
    const action = await perform('fabric.actions.submit', asked);
    expect(action).toMatchObject({ id: 'refund-1', task_id: 'refund-1', status: 'pending', attempts: 0 });
    expect(await perform('fabric.actions.submit', asked)).toEqual(action);
    await expect(perform('fabric.actions.submit', { ...asked, data: { amount: 6 } })).rejects.toMatchObject({
      code: 'conflict',
    });
    expect(await perform('fabric.actions.get', { action_id: 'refund-1' })).toEqual(action);
    const other = { tenantId: 'other', userId: '' };
    await expect(perform('fabric.actions.get', { action_id: 'refund-1' }, other)).rejects.toMatchObject({
      code: 'not_found',
    });
    expect(await perform('fabric.actions.list', { target_system: 'finance' })).toMatchObject({
      items: [{ id: 'refund-1' }],
      next_cursor: null,
    });
  });

  it('lets somebody who knows settle an unknown outcome, once', async () => {
    const begun = await test.begin({}, caller);
    await test.engine.waits(begun.id, begun.caller.tenantId);
    const action_id = actionIdOf(begun);
    expect(await perform('fabric.actions.get', { action_id })).toMatchObject({
      status: 'unknown',
      waiting_for: 'unknown_outcome',
    });
    await perform('fabric.actions.settle', { action_id, outcome: 'completed', note: 'seen', external_id: 'crm-7' });
    const run = await test.engine.ended(begun.id, begun.caller.tenantId);
    expect(run.result).toMatchObject({
      status: 'completed',
      attempts: 1,
      result: { external_id: 'crm-7', response: { settled_by: 'eve', note: 'seen' } },
    });
    await expect(perform('fabric.actions.settle', { action_id, outcome: 'failed' })).rejects.toMatchObject({
      code: 'conflict',
      reason: 'OUTCOME_KNOWN',
    });
    await audit.seal('acme');
    const told = await audit.trail.find('acme', { action: 'ROUTE_SETTLED', limit: 5 });
    expect(told).toMatchObject([
      {
        outcome: 'success',
        actor: { type: 'user', id: expect.stringMatching(/^person:/) },
        run_id: begun.id,
        target_system: 'crm',
        details: { action_id, outcome: 'completed', plane_id: 'ipaas_acme' },
      },
    ]);
  });
});
