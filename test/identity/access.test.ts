import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Access, accesses, allows, rightsOf, roles, sortRoles } from '../../src/identity/access.ts';
import { needOf } from '../../src/operations/operation.ts';
import { operationSpecs } from '../../src/operations/table.ts';

const REACH: Readonly<Record<(typeof roles)[number], readonly Access[]>> = {
  viewer: ['public', 'read'],
  operator: ['public', 'read', 'write'],
  approver: ['public', 'read', 'approve'],
  admin: ['public', 'read', 'write', 'approve', 'admin'],
};

const may = (words: readonly string[], access: Access, what: string) =>
  allows(rightsOf(sortRoles(words)), { access, what });

describe('roles', () => {
  test('reach every operation whose right is among theirs, and no other', () => {
    fc.assert(
      fc.property(fc.subarray([...roles]), fc.constantFrom(...operationSpecs.map(needOf)), (held, need) => {
        const expected = need.access === 'public' || held.some((role) => REACH[role].includes(need.access));
        expect(allows(rightsOf({ roles: held, scopes: [] }), need)).toBe(expected);
      }),
    );
  });

  test('more roles never reach less', () => {
    const word = fc.constantFrom(...roles, 'aoa:read', 'aoa:write', 'fabric:admin', 'approvals:decide', 'baker');
    fc.assert(
      fc.property(
        fc.array(word),
        fc.array(word),
        fc.constantFrom(...operationSpecs.map(needOf)),
        (some, more, need) => {
          if (may(some, need.access, need.what)) expect(may([...some, ...more], need.access, need.what)).toBe(true);
        },
      ),
    );
  });

  test('nobody without a role or scope reaches more than what is public', () => {
    for (const { access, what } of operationSpecs.map(needOf)) expect(may([], access, what)).toBe(access === 'public');
  });
});

describe('scopes', () => {
  test.each<[string, Access, string, boolean]>([
    ['aoa:read', 'read', 'tasks.list', true],
    ['aoa:read', 'write', 'tasks.submit', false],
    ['aoa:write', 'write', 'tasks.submit', true],
    ['aoa:write', 'approve', 'approvals.approve', false],
    ['fabric:admin', 'admin', 'fabric.preset', true],
    ['fabric:admin', 'admin', 'governance.replace', false],
    ['fabric:admin', 'read', 'runs.list', false],
    ['approvals:decide', 'approve', 'approvals.approve', true],
    ['approvals:decide', 'read', 'approvals.list', true],
    ['approvals:decide', 'write', 'runs.start', false],
    ['orchestrations:*', 'write', 'orchestrations.submit', true],
    ['orchestrations:*', 'write', 'runs.start', true],
    ['orchestrations:*', 'write', 'tasks.submit', false],
    ['Workflows.Execute', 'write', 'orchestrations.submit', true],
    ['server:metrics', 'admin', 'server.metrics', true],
    ['server:metrics', 'admin', 'pool.change', false],
  ])('%s: %s for %s is %s', (scope, access, what, expected) => {
    expect(may([scope], access, what)).toBe(expected);
  });
});

describe('the operations', () => {
  test('want what they do: reading, writing, deciding, administering', () => {
    const wanted = Object.groupBy(operationSpecs, (spec) => needOf(spec).access);
    expect(wanted.public?.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['health.get', 'runtime.health', 'a2a.card']),
    );
    expect(wanted.approve?.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['approvals.approve', 'approvals.reject', 'approvals.respond', 'fabric.actions.settle']),
    );
    expect(wanted.admin?.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        'fabric.preset',
        'fabric.routes.set',
        'fabric.planes.drill',
        'governance.replace',
        'pool.change',
      ]),
    );
    expect(accesses).toEqual(expect.arrayContaining(Object.keys(wanted)));
  });

  test('that change something are never open to readers', () => {
    const harmless = ['a2a.discover', 'governance.screen', 'governance.what-if', 'jobs.preview'];
    const open = operationSpecs.filter(
      (spec) => spec.rest.method !== 'GET' && ['public', 'read'].includes(needOf(spec).access),
    );
    expect(open.map(({ name }) => name).filter((name) => !harmless.includes(name))).toEqual([]);
  });
});
