/** An action has the id of its task, which its tenant chooses: two tenants may have an action of one id. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { createActionStore } from '../../src/fabric/action-store.ts';
import { createFeed } from '../../src/runs/feed.ts';
import type { Caller } from '../../src/runs/run.ts';
import type { Database } from '../../src/store/database.ts';
import { openTestDatabase } from '../support/database.ts';

const ours: Caller = { tenantId: 'ours', userId: '' };
const theirs: Caller = { tenantId: 'theirs', userId: '' };
const keyOf = ({ tenantId }: Caller, id: string) => ({ tenantId, id });

let database: Database;
let actions: ReturnType<typeof createActionStore>;
beforeAll(async () => {
  database = await openTestDatabase();
  actions = createActionStore({ database, feed: createFeed({ database, clock: systemClock }), clock: systemClock });
});
afterAll(() => database.close());

const admit = (caller: Caller, id: string) =>
  actions.admit({
    id,
    caller,
    runId: `${id}.1`,
    taskId: id,
    agentId: 'cmo',
    correlationId: caller.tenantId,
    target: 'crm',
    type: 'update',
    entityId: caller.tenantId,
    entityType: undefined,
    data: {},
    metadata: {},
    preset: 'preset_2_ipaas_first',
    primaryPlaneId: 'ipaas_x',
    simulated: false,
  });

describe('an id that two tenants use', () => {
  it.each([
    [ours, theirs],
    [theirs, ours],
  ])('is an action of each: what $tenantId does is not done for the other', async (one, other) => {
    const id = `lead-of-${one.tenantId}`;
    expect(await admit(one, id)).toMatchObject({ caller: one, entityId: one.tenantId });
    expect(await admit(other, id)).toMatchObject({ caller: other, entityId: other.tenantId });
    expect(await actions.begin(keyOf(one, id), 'ipaas', false)).toEqual({ kind: 'go' });
    expect(await actions.begin(keyOf(other, id), 'ipaas', false)).toEqual({ kind: 'go' });
    await actions.done(keyOf(one, id), 'ipaas', 'recipe', { kind: 'completed', externalId: 'x-1' }, 'workato');
    expect(await actions.load(id, one)).toMatchObject({ status: 'completed', inFlight: undefined });
    expect(await actions.load(id, other)).toMatchObject({ status: 'executing', inFlight: { plane: 'ipaas' } });
    expect(await actions.begin(keyOf(one, id), 'ipaas', true)).toEqual({ kind: 'over' });
    expect(await actions.begin(keyOf(other, id), 'ipaas', false)).toEqual({ kind: 'unknown', plane: 'ipaas' });
    await actions.notDone(keyOf(other, id));
    await actions.ended(keyOf(other, id), 'failed', { code: 'NO', message: 'no' });
    expect(await actions.load(id, one)).toMatchObject({ status: 'completed' });
    expect(await actions.load(id, other)).toMatchObject({ status: 'failed', error: { code: 'NO' } });
  });
});
