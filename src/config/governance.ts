/** Which rules hold for what agents do, what is held back of it, and what the records of it are signed with. */
import { defaultPolicy, noFloor, screeningActions, type TenantScreening } from '../governance/screening/policy.ts';
import { isHosted, type PlaceVariables, readPlace } from './place.ts';
import { oneOf, onOff, pathFrom, text, type Variables } from './value.ts';

export const governanceVariables = {
  AOS_AUDIT_KEY_FILE: text.optional(),
  AOS_POLICY_FILE: text.optional(),
  AOS_RACI_FILE: text.optional(),
  AOS_RATE_LIMITS: onOff.optional(),
  AOS_SCREENING: oneOf(screeningActions, 'upper').optional(),
};
export type GovernanceVariables = Variables<typeof governanceVariables>;

/** Which rules hold for what agents do. */
export interface GovernanceConfig {
  /** Whether actions are judged: outside of development, and in it as soon as a file is named. */
  readonly enforced: boolean;
  /** A policy of the operator's; undefined: the one that ships with the package. */
  readonly policyFile: string | undefined;
  /** A RACI matrix of the operator's; undefined: that of the blueprint. */
  readonly raciFile: string | undefined;
}

export interface OversightConfig {
  /** PEM file of the key that signs audit checkpoints; undefined: the server has one of its own in `dataDir`. */
  readonly auditKeyFile: string | undefined;
  readonly governance: GovernanceConfig;
  /** Whether requests that come too often are refused: outside of development unless it is said otherwise. */
  readonly rateLimits: boolean;
  /** What is done with the personal data of tenants that have nothing to say about it. */
  readonly screening: TenantScreening;
}

export const oversightDefaults: OversightConfig = {
  auditKeyFile: undefined,
  governance: Object.freeze({ enforced: false, policyFile: undefined, raciFile: undefined }),
  rateLimits: false,
  screening: noFloor,
};

export function readOversight(
  variables: GovernanceVariables & PlaceVariables,
  workingDirectory: string,
): OversightConfig {
  return {
    auditKeyFile: variables.AOS_AUDIT_KEY_FILE,
    governance: readGovernance(variables, workingDirectory),
    rateLimits: variables.AOS_RATE_LIMITS ?? readPlace(variables).environment !== 'development',
    screening: readScreening(variables),
  };
}

function readGovernance(variables: GovernanceVariables & PlaceVariables, workingDirectory: string): GovernanceConfig {
  const policyFile = pathFrom(workingDirectory, variables.AOS_POLICY_FILE);
  const raciFile = pathFrom(workingDirectory, variables.AOS_RACI_FILE);
  const isNamed = policyFile !== undefined || raciFile !== undefined;
  return Object.freeze({
    enforced: readPlace(variables).environment !== 'development' || isNamed,
    policyFile,
    raciFile,
  });
}

/** Where the platform hosts it values do not get out unless somebody says so; what was said is the least there is. */
function readScreening(variables: GovernanceVariables & PlaceVariables): TenantScreening {
  const action = variables.AOS_SCREENING ?? (isHosted(variables) ? 'REDACT' : undefined);
  return action === undefined ? noFloor : Object.freeze({ policy: { ...defaultPolicy, action }, floor: action });
}
