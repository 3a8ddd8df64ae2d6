import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../src/core/json.ts';
import { settlementPayload } from '../../src/engine/settlement.ts';
import { keyOfRun } from '../../src/runs/run.ts';
import { createTestDatabase } from '../support/database.ts';
import {
  actionIdOf,
  anyProxy,
  anyTopic,
  fabricConfig,
  simulatedPlane,
  startTestFabric,
  type TestFabric,
  type TestFabricOptions,
  tenant,
} from '../support/fabric-run.ts';

let url: string;
let open: TestFabric[] = [];

beforeAll(async () => {
  url = await createTestDatabase();
});

afterEach(async () => {
  for (const fabric of open) await fabric[Symbol.asyncDispose]();
  open = [];
});

async function start(planes: JsonObject, options: Partial<TestFabricOptions> & { preset?: string } = {}) {
  const fabric = await startTestFabric({ url, config: fabricConfig(planes, options.preset), ...options });
  open.push(fabric);
  return fabric;
}

const script = (...turns: string[]): JsonObject => ({ script: turns });

describe('an action', () => {
  it('takes the first plane of its cell and says so', async () => {
    const test = await start({ ipaas: simulatedPlane(), api_gateway: simulatedPlane({}, anyProxy) });
    const run = await test.route();
    expect(run.status).toBe('completed');
    expect(run.result).toMatchObject({
      status: 'completed',
      fabric_preset: 'preset_2_ipaas_first',
      primary_plane_id: 'ipaas_acme',
      routed_plane_id: 'ipaas_acme',
      execution_path: 'ipaas_recipe',
      fallback_from: [],
      attempts: 1,
      result: { provider: 'simulated', outcome: 'completed' },
    });
    await expect
      .poll(async () => (await test.facts(actionIdOf(run))).map(({ type }) => type))
      .toEqual(['route.routed']);
  });

  it('is accepted, not completed, by a plane that only takes it', async () => {
    const test = await start({ event_bus: simulatedPlane({}, anyTopic) }, { preset: 'preset_4_event_bus_first' });
    const run = await test.route();
    expect(run.result).toMatchObject({
      status: 'accepted',
      routed_plane_id: 'eventbus_acme',
      execution_path: 'kafka_topic',
    });
  });

  it.each(['not_sent', 'unavailable', 'throttled'])('falls back when the first plane says %s', async (fault) => {
    const test = await start({
      ipaas: simulatedPlane(script(fault)),
      api_gateway: simulatedPlane({}, anyProxy),
    });
    const run = await test.route();
    expect(run.result).toMatchObject({
      status: 'completed',
      primary_plane_id: 'ipaas_acme',
      routed_plane_id: 'gateway_acme',
      fallback_from: ['ipaas_acme'],
    });
    await expect
      .poll(async () => (await test.facts(actionIdOf(run))).map(({ type }) => type))
      .toEqual(['route.fallback', 'route.routed']);
  });

  it('is tried again on its plane before another is asked', async () => {
    const test = await start({
      ipaas: simulatedPlane({ ...script('unavailable', 'throttled', 'ok'), attempts: 3 }),
      api_gateway: simulatedPlane({}, anyProxy),
    });
    const run = await test.route();
    expect(run.result).toMatchObject({ routed_plane_id: 'ipaas_acme', attempts: 3, fallback_from: [] });
  });

  it.each(['rejected', 'auth', 'invalid', 'too_large'])('fails for good when the plane says %s', async (fault) => {
    const test = await start({ ipaas: simulatedPlane(script(fault)), api_gateway: simulatedPlane({}, anyProxy) });
    const run = await test.route();
    expect(run).toMatchObject({ status: 'failed', error: { code: 'unprocessable' } });
    expect(await test.record(actionIdOf(run))).toMatchObject({
      status: 'failed',
      error: { code: 'PLANE_REFUSED', fault },
      inFlight: undefined,
    });
  });

  it('leaves nothing out when it is simulated, and says that it was', async () => {
    const test = await start({ ipaas: simulatedPlane(script('rejected')) });
    const run = await test.route({ simulate: true });
    expect(run.result).toMatchObject({ status: 'completed', simulation: true, routed_plane_id: 'ipaas_acme' });
    await expect
      .poll(async () => (await test.facts(actionIdOf(run))).at(-1))
      .toMatchObject({ data: { simulation: true } });
    // The first call that leaves is the next one.
    expect(await test.route()).toMatchObject({ status: 'failed' });
  });

  it('has no route where no plane of its cell carries it', async () => {
    const test = await start({ ipaas: { vendor: 'simulated' } });
    const run = await test.route({ target: 'marketing', type: 'notify' });
    expect(run).toMatchObject({ status: 'failed', error: { code: 'unprocessable' } });
    expect(await test.record(actionIdOf(run))).toMatchObject({ status: 'failed', error: { code: 'NO_ROUTE' } });
  });

  it('is blocked when it asks for a direct call outside preset 6', async () => {
    const test = await start({ ipaas: simulatedPlane(), direct: { vendor: 'simulated' } });
    const run = await test.route({ plane: 'direct' });
    expect(run).toMatchObject({ status: 'failed', error: { code: 'forbidden' } });
    expect(await test.record(actionIdOf(run))).toMatchObject({
      status: 'blocked',
      error: { code: 'DIRECT_FORBIDDEN' },
    });
    expect(test.fabric.fleet.find('acme', 'direct')?.stats().actions).toBe(0);
  });

  it('is blocked in preset 6 where direct calls are not allowed at all', async () => {
    const test = await start({ direct: { vendor: 'simulated' } }, { preset: 'scrappy', allowScrappy: false });
    const run = await test.route();
    expect(await test.record(actionIdOf(run))).toMatchObject({
      status: 'blocked',
      error: { code: 'DIRECT_FORBIDDEN' },
    });
  });

  it('is routed by the preset that is valid when it runs', async () => {
    const test = await start({ ipaas: simulatedPlane(), event_bus: simulatedPlane({}, anyTopic) });
    const other = { tenantId: 'acme', userId: '' };
    await test.fabric.contexts.change(other, { preset: 'preset_4_event_bus_first', reason: 'test', force: false });
    const run = await test.route();
    expect(run.result).toMatchObject({ fabric_preset: 'preset_4_event_bus_first', routed_plane_id: 'eventbus_acme' });
    await test.fabric.contexts.change(other, { preset: 'preset_2_ipaas_first', reason: undefined, force: false });
  });
});

describe('when no plane is left', () => {
  it('the action is blocked and worth another try', async () => {
    const test = await start({ ipaas: simulatedPlane(script('not_sent')) });
    const run = await test.route();
    expect(run).toMatchObject({ status: 'failed', error: { code: 'unreachable' } });
    expect(await test.record(actionIdOf(run))).toMatchObject({
      status: 'blocked',
      error: { code: 'PLANE_UNAVAILABLE' },
    });
  });

  it('the run waits for a plane if it is to, and goes on when one is back', async () => {
    const test = await start({ ipaas: simulatedPlane() });
    const plane = test.fabric.fleet.find('acme', 'ipaas');
    if (plane === undefined) throw new Error('there is no plane');
    await test.fabric.watch.drill(tenant, plane, 10, 'practice');
    const begun = await test.begin({ onUnavailable: 'wait' });
    await test.engine.waits(begun.id, begun.caller.tenantId);
    expect((await test.engine.runs.load(keyOfRun(begun)))?.waitingFor).toBe('plane');
    expect(await test.record(actionIdOf(begun))).toMatchObject({ status: 'waiting' });
    expect(await test.fabric.watch.endDrill(tenant, plane)).toBe(true);
    const run = await test.engine.ended(begun.id, begun.caller.tenantId);
    expect(run.result).toMatchObject({ status: 'completed', fallback_from: ['ipaas_acme'] });
    await expect
      .poll(async () => (await test.facts('ipaas_acme')).map(({ type }) => type))
      .toEqual(['plane.down', 'plane.up']);
  });
});

describe('an unknown outcome', () => {
  const mute = (...turns: string[]) =>
    simulatedPlane({ ...script(...turns), dedupes: false, tells: false, attempts: 3 });

  it('is tried again with the same key where the target does a key once', async () => {
    const test = await start({ ipaas: simulatedPlane({ ...script('ambiguous', 'ok'), attempts: 3 }) });
    const run = await test.route();
    expect(run.result).toMatchObject({ status: 'completed', attempts: 2, result: { deduplicated: true } });
  });

  it('of a look is no trouble: another plane is asked', async () => {
    const test = await start({
      ipaas: mute('ambiguous', 'ambiguous', 'ambiguous'),
      api_gateway: simulatedPlane({}, anyProxy),
    });
    const run = await test.route({ type: 'read' });
    expect(run.result).toMatchObject({
      status: 'completed',
      routed_plane_id: 'gateway_acme',
      fallback_from: ['ipaas_acme'],
    });
  });

  it('is asked of a plane that can tell', async () => {
    const test = await start({ ipaas: simulatedPlane({ ...script('ambiguous'), dedupes: false }) });
    const run = await test.route();
    expect(run.result).toMatchObject({ status: 'completed', attempts: 1 });
  });

  it('makes the run wait, and is never sent again or elsewhere', async () => {
    const test = await start({ ipaas: mute('ambiguous'), api_gateway: simulatedPlane({}, anyProxy) });
    const begun = await test.begin();
    await test.engine.waits(begun.id, begun.caller.tenantId);
    expect((await test.engine.runs.load(keyOfRun(begun)))?.waitingFor).toBe('unknown_outcome');
    const record = await test.record(actionIdOf(begun));
    expect(record).toMatchObject({ status: 'unknown', attempts: 1, inFlight: { plane: 'ipaas' } });
    expect(test.fabric.fleet.find('acme', 'api_gateway')?.stats().actions).toBe(0);

    // Another attempt at the same work is another run: it does not send it either.
    const next = await test.engine.begin({
      id: `${actionIdOf(begun)}.2`,
      kind: 'orchestration',
      caller: tenant,
      request: begun.request,
    });
    await test.engine.waits(next.id, next.caller.tenantId);
    expect(await test.record(actionIdOf(begun))).toMatchObject({ status: 'unknown', attempts: 1, runId: next.id });
  });

  it.each([
    ['completed', { status: 'completed', result: { response: { settled_by: 'eve', note: 'seen in the CRM' } } }, 1],
    ['not_done', { status: 'completed', routed_plane_id: 'ipaas_acme' }, 2],
  ] as const)('that a person settles as %s goes on', async (outcome, expected, attempts) => {
    const test = await start({ ipaas: mute('ambiguous', 'ok') });
    const begun = await test.begin();
    await test.engine.waits(begun.id, begun.caller.tenantId);
    const { wait } = await test.record(actionIdOf(begun));
    const payload = settlementPayload({ outcome, note: 'seen in the CRM', externalId: undefined });
    await test.engine.engine.signal(keyOfRun(begun), { name: wait ?? '', payload, actor: 'user:eve' });
    const run = await test.engine.ended(begun.id, begun.caller.tenantId);
    expect(run.result).toMatchObject({ ...expected, attempts });
  });

  it('that a person settles as failed ends the action', async () => {
    const test = await start({ ipaas: mute('ambiguous') });
    const begun = await test.begin();
    await test.engine.waits(begun.id, begun.caller.tenantId);
    const { wait } = await test.record(actionIdOf(begun));
    const payload = settlementPayload({ outcome: 'failed', note: undefined, externalId: undefined });
    await test.engine.engine.signal(keyOfRun(begun), { name: wait ?? '', payload, actor: 'user:eve' });
    expect(await test.engine.ended(begun.id, begun.caller.tenantId)).toMatchObject({
      status: 'failed',
      error: { code: 'unprocessable' },
    });
    expect(await test.record(actionIdOf(begun))).toMatchObject({ status: 'failed', error: { code: 'SETTLED_FAILED' } });
  });

  it('that nobody settles in time ends the action, which stays unknown', async () => {
    const test = await start({ ipaas: mute('ambiguous') });
    const run = await test.route({ waitMs: 300 });
    expect(run).toMatchObject({ status: 'failed', error: { code: 'unprocessable' } });
    expect(await test.record(actionIdOf(run))).toMatchObject({
      status: 'timeout',
      error: { code: 'UNKNOWN_OUTCOME' },
      inFlight: { plane: 'ipaas' },
    });
  });
});
