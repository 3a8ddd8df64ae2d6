/** How agents hand work to one another. */
import { DEFAULT_MAX_DEPTH } from '../delegation/delegation-rules.ts';
import { count, onOff, type Variables } from './value.ts';

export const delegationVariables = {
  AOS_A2A_MAX_DEPTH: count(1, 100, 'delegations').optional(),
  AOS_A2A_PUSH: onOff.optional(),
};
export type DelegationVariables = Variables<typeof delegationVariables>;

export interface DelegationConfig {
  /** How often work may be handed on. */
  readonly maxDepth: number;
  /** Whether agents with an address are brought their messages there; otherwise they fetch them. */
  readonly push: boolean;
}

export const delegationDefaults: DelegationConfig = Object.freeze({ maxDepth: DEFAULT_MAX_DEPTH, push: false });

export function readDelegation(variables: DelegationVariables): DelegationConfig {
  return Object.freeze({
    maxDepth: variables.AOS_A2A_MAX_DEPTH ?? delegationDefaults.maxDepth,
    push: variables.AOS_A2A_PUSH ?? delegationDefaults.push,
  });
}
