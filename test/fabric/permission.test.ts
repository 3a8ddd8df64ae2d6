/** Actions for planes where a governor judges them. */
import { describe, expect, it } from 'vitest';
import { AosError } from '../../src/core/errors.ts';
import type { Action } from '../../src/fabric/action.ts';
import { type Permission, permitOrder } from '../../src/fabric/permission.ts';
import type { Governor } from '../../src/governance/governor.ts';
import { answeringDesk, testGovernor, testPolicy, unenforcedGovernor } from '../support/governance.ts';
import { MemoryRun } from '../support/run-scope.ts';

type Order = Action & { readonly agentId: string };
const update: Order = {
  target: 'erp',
  type: 'update',
  entityId: 'I-7',
  entityType: 'invoice',
  data: { amount: 100 },
  metadata: {},
  agentId: 'cfo',
};

async function permitted(governor: Governor, order: Order, hasBegun = false, run = new MemoryRun({})) {
  let permission: Permission<Order> | AosError | undefined;
  await run.execute(async (scope) => {
    const given = await permitOrder(governor, scope, 'task/action', order, hasBegun);
    permission = 'refusal' in given ? given.refusal : given;
    return {};
  });
  return permission;
}

describe('an action for a plane', () => {
  it('goes as it is where nothing is enforced', async () => {
    expect(await permitted(unenforcedGovernor(), update)).toMatchObject({ order: update, event: undefined });
  });

  it('is refused with the rule and the party that answers for it, and the log says so', async () => {
    const run = new MemoryRun({});
    const refusal = await permitted(testGovernor(), update, false, run);
    expect(refusal).toBeInstanceOf(AosError);
    expect(refusal).toMatchObject({
      code: 'forbidden',
      reason: 'GOVERNANCE_DENIED',
      facts: { rule: 'policy/default.deny', accountable: 'Security' },
    });
    expect(run.events.map(({ data }) => data)).toMatchObject([
      { action: 'fabric:erp:update', action_class: 'change', effect: 'external', entity_id: 'I-7', verdict: 'deny' },
    ]);
  });

  it('goes with what was approved', async () => {
    const policy = testPolicy({ rules: [{ id: 'ask', effect: 'hold', reason: 'Somebody must agree.' }] });
    const approvals = answeringDesk(() => ({ args: { amount: 50 }, edited: true }));
    const permission = await permitted(testGovernor({ policy, approvals }), update);
    expect(permission).toMatchObject({ order: { target: 'erp', data: { amount: 50 } } });
  });

  it('that only reads is not judged again once it has begun', async () => {
    const policy = testPolicy({ rules: [{ id: 'no', effect: 'deny', reason: 'Not this.' }] });
    const read: Order = { ...update, type: 'read' };
    expect(await permitted(testGovernor({ policy }), read)).toBeInstanceOf(AosError);
    expect(await permitted(testGovernor({ policy }), read, true)).toMatchObject({ order: read });
  });
});
