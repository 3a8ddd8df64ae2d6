import { describe, expect, it } from 'vitest';
import { auditActions } from '../../../src/governance/audit/entry.ts';
import { blueprintResponsibility, responsibilityIn } from '../../../src/governance/audit/responsibility.ts';
import { defaultMatrix } from '../../../src/governance/raci/default-matrix.ts';
import { createMatrix, matrixSchema } from '../../../src/governance/raci/matrix.ts';

const blueprint = createMatrix(defaultMatrix);
const refund = { action: 'ROUTE_ACTION', target_system: 'finance', action_type: 'execute' } as const;

describe('who answers for an entry', () => {
  it.each([...auditActions])('is the same in the default matrix as in the blueprint: %s', (action) => {
    expect(responsibilityIn(blueprint, { action })).toEqual(blueprintResponsibility(action));
    expect(responsibilityIn(undefined, { action })).toEqual(blueprintResponsibility(action));
  });

  it('is whoever the matrix of the tenant names for the action itself', () => {
    const own = createMatrix(
      matrixSchema.parse({
        version: 1,
        parties: { Router: {}, Treasury: { people: ['dana'] }, Legal: {} },
        activities: [
          {
            name: 'Money',
            actions: ['fabric:finance:*'],
            responsible: ['Router', 'agent:support'],
            accountable: 'Treasury',
            consulted: ['Legal'],
            informed: ['Treasury'],
          },
        ],
      }),
    );
    expect(responsibilityIn(own, refund)).toEqual({
      responsible: 'Router, agent:support',
      accountable: 'Treasury',
      consulted: ['Legal'],
      informed: ['Treasury'],
    });
    // For what it has no line for, the blueprint's holds.
    const other = { ...refund, target_system: 'crm' };
    expect(responsibilityIn(own, other)).toEqual(blueprintResponsibility('ROUTE_ACTION'));
  });
});
