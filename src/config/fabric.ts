/** Which planes there are to reach systems over. The file itself is read by `fabric/fabric-file.ts`. */
import { onOff, text, type Variables } from './value.ts';

export const fabricVariables = {
  AOS_FABRIC_FILE: text.optional(),
  AOS_ALLOW_SCRAPPY: onOff.optional(),
};
export type FabricVariables = Variables<typeof fabricVariables>;

export interface FabricConfig {
  /** The file that says which fabric planes there are; undefined: none, and simulated direct calls in development. */
  readonly fabricFile: string | undefined;
  /** Whether preset 6 (direct calls of systems) may be chosen in production. */
  readonly allowScrappy: boolean;
}

export const fabricDefaults: FabricConfig = { fabricFile: undefined, allowScrappy: false };

export function readFabric(variables: FabricVariables): FabricConfig {
  return {
    fabricFile: variables.AOS_FABRIC_FILE,
    allowScrappy: variables.AOS_ALLOW_SCRAPPY ?? fabricDefaults.allowScrappy,
  };
}
