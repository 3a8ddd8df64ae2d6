import { describe, expect, it } from 'vitest';
import { actionHash } from '../../src/governance/action-hash.ts';
import { pendingApproval } from '../support/approvals.ts';

describe('a new approval', () => {
  it('is pending and bound to what was asked', () => {
    expect(pendingApproval()).toMatchObject({
      status: 'pending',
      priority: 'medium',
      quorum: 1,
      autoAction: 'reject',
      escalationLevel: 'none',
      requesters: ['ann'],
      requestedAt: '2026-01-01T00:00:00.000Z',
      expiresAt: '2026-01-01T01:00:00.000Z',
      actionHash: actionHash('pay', { amount: 100, invoice: 7 }),
    });
  });

  it.each([
    ['low', undefined, '2026-01-01T02:00:00.000Z'],
    ['high', undefined, '2026-01-01T00:30:00.000Z'],
    ['critical', undefined, '2026-01-01T00:15:00.000Z'],
    ['low', 7 * 24 * 3600, '2026-01-08T00:00:00.000Z'],
  ] as const)('of priority %s with %s seconds expires at %s', (priority, expiresInSeconds, expiresAt) => {
    const change = expiresInSeconds === undefined ? { priority } : { priority, expiresInSeconds };
    expect(pendingApproval(change)).toMatchObject({ expiresAt });
  });

  it('knows its assignees and requesters without repeats', () => {
    const approval = pendingApproval({ assignees: ['bob', ' Bob ', 'cid'], requester: 'user:ann' });
    expect(approval).toMatchObject({ assignees: ['bob', 'cid'], requesters: ['user:ann'] });
    expect(approval.assignmentHistory).toMatchObject([{ assigned_to: ['bob', 'cid'], by: 'system' }]);
  });

  it.each([
    ['a quorum of none', { quorum: 0 }],
    ['half a person', { quorum: 1.5 }],
    ['no time', { expiresInSeconds: 0 }],
    ['time without end', { expiresInSeconds: Number.POSITIVE_INFINITY }],
    ['more approving than there are assignees', { assignees: ['bob'], quorum: 2 }],
    ['only its requester as assignee', { assignees: ['ann'] }],
  ])('is refused with %s', (_, change) => {
    expect(() => pendingApproval(change)).toThrow(expect.objectContaining({ code: 'invalid_request' }));
  });
});
