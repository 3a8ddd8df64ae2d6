/** Which model answers, from what the environment says of Azure OpenAI, OpenAI, its likes, and Foundry; and what models cost. */
import { z } from 'zod';
import type { ModelConfig } from '../agents/model.ts';
import { type Fault, httpUrl, oneOf, pathFrom, text, type Variables } from './value.ts';

const MODEL_PROVIDERS = [
  'azure',
  'openai',
  'openai-compatible',
  'foundry',
  'simulated',
] as const satisfies readonly ModelConfig['provider'][];
type ModelProvider = (typeof MODEL_PROVIDERS)[number];

/** Used when OpenAI itself is configured by nothing but its key. */
const DEFAULT_OPENAI_MODEL = 'gpt-5-mini';
const MAX_PACE_MS = 60_000;

const milliseconds = z
  .string()
  .refine((value) => /^\d+$/.test(value) && Number(value) <= MAX_PACE_MS, {
    error: `whole milliseconds from 0 to ${MAX_PACE_MS}`,
  })
  .transform(Number);

export const modelVariables = {
  AOS_MODEL: text.optional(),
  AOS_MODEL_PROVIDER: oneOf(MODEL_PROVIDERS).optional(),
  AOS_SIMULATED_FIRST_TOKEN_MS: milliseconds.optional(),
  AOS_SIMULATED_TOKEN_MS: milliseconds.optional(),
  AZURE_OPENAI_ENDPOINT: httpUrl.optional(),
  AZURE_OPENAI_API_KEY: text.optional(),
  AZURE_OPENAI_DEPLOYMENT: text.optional(),
  AZURE_OPENAI_DEPLOYMENT_NAME: text.optional(),
  AZURE_OPENAI_API_VERSION: text.optional(),
  OPENAI_API_KEY: text.optional(),
  OPENAI_BASE_URL: httpUrl.optional(),
  OPENAI_MODEL: text.optional(),
  FOUNDRY_PROJECT_ENDPOINT: httpUrl.optional(),
  AOS_PRICES_FILE: text.optional(),
};
export type ModelVariables = Variables<typeof modelVariables>;
type VariableName = keyof ModelVariables;

export interface PricesConfig {
  /** Prices of models beside those that ship with the package. */
  readonly pricesFile: string | undefined;
}

export const pricesDefaults: PricesConfig = { pricesFile: undefined };

export function readPrices(variables: ModelVariables, workingDirectory: string): PricesConfig {
  return { pricesFile: pathFrom(workingDirectory, variables.AOS_PRICES_FILE) };
}

/** Whether a fault is that of a variable which says what model there is: it cannot be chosen without that one. */
export function leavesModelOpen(fault: string): boolean {
  return /^(AZURE_OPENAI|OPENAI|FOUNDRY|AOS_MODEL)/.test(fault);
}

/** The model the variables name; without any, the simulated one. First match wins: forced, Azure, OpenAI, Foundry. */
export function readModel(variables: ModelVariables, fault: Fault): ModelConfig | undefined {
  switch (variables.AOS_MODEL_PROVIDER ?? providerInUse(variables)) {
    case 'azure':
      return azure(variables, fault);
    case 'openai':
      return openai(variables, fault);
    case 'openai-compatible':
      return openaiCompatible(variables, fault);
    case 'foundry':
      return foundry(variables, fault);
    case 'simulated':
      return {
        provider: 'simulated',
        firstTokenMs: variables.AOS_SIMULATED_FIRST_TOKEN_MS ?? 120,
        tokenMs: variables.AOS_SIMULATED_TOKEN_MS ?? 6,
      };
    case undefined:
      return fault(
        'AOS_MODEL names a model but nothing says where it is: set AZURE_OPENAI_ENDPOINT, OPENAI_API_KEY, OPENAI_BASE_URL or FOUNDRY_PROJECT_ENDPOINT, or unset AOS_MODEL to use the simulated model',
      );
  }
}

function providerInUse(variables: ModelVariables): ModelProvider | undefined {
  const azureOpenAi: readonly VariableName[] = [
    'AZURE_OPENAI_ENDPOINT',
    'AZURE_OPENAI_API_KEY',
    'AZURE_OPENAI_DEPLOYMENT',
    'AZURE_OPENAI_DEPLOYMENT_NAME',
  ];
  if (azureOpenAi.some((name) => variables[name] !== undefined)) return 'azure';
  if (variables.OPENAI_BASE_URL !== undefined) return 'openai-compatible';
  if (variables.OPENAI_API_KEY !== undefined || variables.OPENAI_MODEL !== undefined) return 'openai';
  if (variables.AOS_MODEL === undefined) return 'simulated';
  // The platform sets FOUNDRY_PROJECT_ENDPOINT by itself: alone it does not ask for a model.
  return variables.FOUNDRY_PROJECT_ENDPOINT === undefined ? undefined : 'foundry';
}

function azure(variables: ModelVariables, fault: Fault): ModelConfig | undefined {
  const endpoint = variables.AZURE_OPENAI_ENDPOINT;
  const deployment = variables.AZURE_OPENAI_DEPLOYMENT ?? variables.AZURE_OPENAI_DEPLOYMENT_NAME ?? variables.AOS_MODEL;
  const missing = [
    ...(endpoint === undefined ? ['AZURE_OPENAI_ENDPOINT (https://<resource>.openai.azure.com)'] : []),
    ...(deployment === undefined ? ['AZURE_OPENAI_DEPLOYMENT (the name of your model deployment)'] : []),
  ];
  if (endpoint === undefined || deployment === undefined) return half('Azure OpenAI', missing, fault);
  return {
    provider: 'azure',
    endpoint,
    deployment,
    apiVersion: variables.AZURE_OPENAI_API_VERSION,
    apiKey: variables.AZURE_OPENAI_API_KEY,
  };
}

function openai(variables: ModelVariables, fault: Fault): ModelConfig | undefined {
  const apiKey = variables.OPENAI_API_KEY;
  if (apiKey === undefined) return half('OpenAI', ['OPENAI_API_KEY'], fault);
  return { provider: 'openai', model: variables.OPENAI_MODEL ?? variables.AOS_MODEL ?? DEFAULT_OPENAI_MODEL, apiKey };
}

function openaiCompatible(variables: ModelVariables, fault: Fault): ModelConfig | undefined {
  const baseUrl = variables.OPENAI_BASE_URL;
  const model = variables.OPENAI_MODEL ?? variables.AOS_MODEL;
  const missing = [
    ...(baseUrl === undefined ? ['OPENAI_BASE_URL (for example http://localhost:11434/v1)'] : []),
    ...(model === undefined ? ['OPENAI_MODEL (which of the models served there)'] : []),
  ];
  if (baseUrl === undefined || model === undefined) return half('An OpenAI-compatible model', missing, fault);
  return { provider: 'openai-compatible', baseUrl, model, apiKey: variables.OPENAI_API_KEY };
}

function foundry(variables: ModelVariables, fault: Fault): ModelConfig | undefined {
  const projectEndpoint = variables.FOUNDRY_PROJECT_ENDPOINT;
  const model = variables.AOS_MODEL;
  const missing = [
    ...(projectEndpoint === undefined ? ['FOUNDRY_PROJECT_ENDPOINT'] : []),
    ...(model === undefined ? ['AOS_MODEL (the name of your model deployment)'] : []),
  ];
  if (projectEndpoint === undefined || model === undefined) return half('Foundry', missing, fault);
  return { provider: 'foundry', projectEndpoint, model };
}

function half(what: string, missing: readonly string[], fault: Fault): undefined {
  return fault(
    `${what} is half configured: also set ${missing.join(' and ')}, or AOS_MODEL_PROVIDER=simulated to run without a model`,
  );
}
