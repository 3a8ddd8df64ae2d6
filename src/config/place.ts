/** Where this server stands: in which environment, and whether the platform hosts it. */
import { type Environment, environments } from '../governance/action.ts';
import { oneOf, text, type Variables } from './value.ts';

export const placeVariables = {
  AOS_ENVIRONMENT: oneOf(environments).optional(),
  FOUNDRY_HOSTING_ENVIRONMENT: text.optional(),
};
export type PlaceVariables = Variables<typeof placeVariables>;

export interface PlaceConfig {
  /** Where this server stands; outside of development less is taken for granted. */
  readonly environment: Environment;
}

export const placeDefaults: PlaceConfig = { environment: 'development' };

export function readPlace({ AOS_ENVIRONMENT: environment = placeDefaults.environment }: PlaceVariables): PlaceConfig {
  return { environment };
}

/** Whether the platform started this container; it says so by itself. */
export function isHosted({ FOUNDRY_HOSTING_ENVIRONMENT: place }: PlaceVariables): boolean {
  return place !== undefined;
}
