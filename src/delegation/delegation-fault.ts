/** What is said to whoever asks of a delegation what it cannot give. */
import { AosError } from '../core/errors.ts';
import type { Delegation } from './delegation.ts';

export function unknownDelegation(id: string): AosError {
  return new AosError('not_found', `Delegation ${id} not found`, { reason: 'DELEGATION_NOT_FOUND' });
}

export function endedDelegation({ id, status }: Delegation): AosError {
  return new AosError('conflict', `Delegation ${id} is already ${status}`, {
    reason: 'DELEGATION_TERMINAL',
    facts: { status },
  });
}

/** @param wanted what was to become of it */
export function notNow({ id, status }: Delegation, wanted: string): AosError {
  return new AosError('conflict', `Delegation ${id} is ${status} and cannot be ${wanted} now`, {
    reason: 'DELEGATION_NOT_READY',
    facts: { status },
  });
}
