import { randomUUID } from 'node:crypto';
import { ROOT_CONTEXT } from '@opentelemetry/api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import type { RunProgram } from '../../src/engine/engine.ts';
import { createFabric, type Fabric } from '../../src/fabric/fabric.ts';
import type { ActionOrder } from '../../src/fabric/router.ts';
import { createFeed } from '../../src/runs/feed.ts';
import { globalKey } from '../../src/runs/run.ts';
import type { Database } from '../../src/store/database.ts';
import { openTestDatabase } from '../support/database.ts';
import { fabricConfig, tenant } from '../support/fabric-run.ts';
import { unenforcedGovernor } from '../support/governance.ts';
import { silentLog } from '../support/log.ts';
import { hang, type PlaneDouble, say, startPlaneDouble } from '../support/plane-double.ts';
import { type Death, MemoryRun } from '../support/run-scope.ts';

let database: Database;
let double: PlaneDouble;
let fabric: Fabric;

beforeAll(async () => {
  database = await openTestDatabase();
  double = await startPlaneDouble(say(200, { id: 'ext-1' }));
  const gateway = {
    vendor: 'kong',
    base_url: double.url,
    auth: { type: 'none' },
    allow_addresses: ['127.0.0.0/8'],
    attempts: 3,
  };
  fabric = await createFabric({
    database,
    feed: createFeed({ database, clock: systemClock }),
    config: fabricConfig({ api_gateway: gateway }, 'preset_3_api_gateway_first'),
    allowScrappy: false,
    signal: async () => true,
    readEnv: () => undefined,
    clock: systemClock,
    log: silentLog,
    random: () => 0,
    governor: unenforcedGovernor(),
  });
});
afterAll(async () => {
  await double.close();
  await fabric.stop();
  await database.close();
});

function action(): { id: string; run: MemoryRun; program: RunProgram } {
  const id = randomUUID();
  const order: ActionOrder = {
    id,
    agentId: 'cmo',
    correlationId: id,
    target: 'crm',
    type: 'update',
    entityId: 'cust_1042',
    entityType: 'customer',
    data: { tier: 'gold' },
    metadata: {},
    onUnavailable: 'fail',
    waitMs: 60_000,
  };
  const run = new MemoryRun({}, { id: `${id}.1`, caller: tenant });
  return { id, run, program: (scope) => fabric.router.route(scope, 'action', order, ROOT_CONTEXT) };
}

const sent = (id: string) =>
  double.visits.filter(({ headers }) => headers['idempotency-key'] === globalKey(tenant.tenantId, id)).length;

describe('an action whose process dies', () => {
  const deaths = [1, 2, 3, 4].flatMap((nth): Death[] => [
    { at: 'before-step-stored', nth },
    { at: 'after-step-stored', nth },
  ]);

  it.each(deaths)('$at of step $nth is sent once, and completes', async (death) => {
    double.manner = say(200, { id: 'ext-1' });
    const { id, run, program } = action();
    await run.execute(program, { death });
    expect(await run.execute(program)).toMatchObject({
      status: 'completed',
      attempts: 1,
      routed_plane_id: 'gateway_acme',
    });
    expect(sent(id)).toBe(1);
  });

  it('while the plane has it is not sent again: its run waits for somebody who knows', async () => {
    const arrived = Promise.withResolvers<void>();
    double.manner = (response, visit) => {
      arrived.resolve();
      hang(response, visit);
    };
    const { id, run, program } = action();
    const stuck = run.go(program).catch(() => undefined);
    await arrived.promise;
    // The process is gone; another one takes the run up while the plane works again.
    double.manner = say(200, { id: 'ext-1' });
    expect(await run.go(program)).toBe('waiting');
    expect(run.waits).toMatchObject([
      { reason: 'unknown_outcome', detail: { action_id: id, plane_id: 'gateway_acme' } },
    ]);
    expect(sent(id)).toBe(1);
    void stuck;
  });
});
