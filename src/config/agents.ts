/** Which agents there are, and which may be named. */
import { onOff, pathFrom, text, type Variables } from './value.ts';

export const agentsVariables = {
  AGENT_REGISTRY_PATH: text.optional(),
  AOS_ALLOW_UNREGISTERED_AGENTS: onOff.optional(),
};
export type AgentsVariables = Variables<typeof agentsVariables>;

export interface AgentsConfig {
  /** Whether work may name agents that nobody has registered. */
  readonly allowUnregisteredAgents: boolean;
}

export const agentsDefaults: AgentsConfig = { allowUnregisteredAgents: false };

export function readAgents(variables: AgentsVariables): AgentsConfig {
  return {
    allowUnregisteredAgents: variables.AOS_ALLOW_UNREGISTERED_AGENTS ?? agentsDefaults.allowUnregisteredAgents,
  };
}

export function readRegistryPath(variables: AgentsVariables, workingDirectory: string): string | undefined {
  return pathFrom(workingDirectory, variables.AGENT_REGISTRY_PATH);
}
