/**
 * Which provider is called, at which address, as whom: from the configuration to a language model of the AI SDK.
 * Addresses and labels are worked out at once; packages are loaded and tokens fetched when `ready` is first called.
 */
import type { LanguageModel } from 'ai';
import type { Model, ModelConfig, TokenCredential } from './model.ts';
import { failure, type ModelLabel } from './model-failure.ts';

/** The AI SDK's interface to one language model. */
export type ProviderLanguageModel = Extract<LanguageModel, { specificationVersion: 'v4' }>;

export type ProviderConfig = Exclude<ModelConfig, { provider: 'simulated' }>;

export interface ProviderOptions {
  /** Signs in to Azure; `DefaultAzureCredential` when left out. */
  readonly credential?: TokenCredential;
}

export interface Provider extends Pick<Model, 'name' | 'provider'> {
  readonly server: { readonly address: string; readonly port: number };
  readonly label: ModelLabel;
  /** The model, loaded and signed in. Called before every call: a token that is about to expire is renewed here. */
  ready(): Promise<ProviderLanguageModel>;
}

const OPENAI_URL = 'https://api.openai.com/v1';
const AZURE_OPENAI_SCOPE = 'https://cognitiveservices.azure.com/.default';
const FOUNDRY_SCOPE = 'https://ai.azure.com/.default';

export function openProvider(config: ProviderConfig, options: ProviderOptions): Provider {
  switch (config.provider) {
    case 'azure':
      return azure(config, options);
    case 'foundry':
      return foundry(config, options);
    case 'openai':
      return openai(config);
    case 'openai-compatible':
      return openaiCompatible(config);
  }
}

function azure(config: Extract<ModelConfig, { provider: 'azure' }>, options: ProviderOptions): Provider {
  const { apiKey, deployment, apiVersion } = config;
  const resource = withoutApiPath(config.endpoint);
  // The SDK takes a base that ends in /openai/v1 as it is; the classic addresses are built from /openai.
  const classic = apiVersion !== undefined && /^\d{4}-\d{2}-\d{2}/.test(apiVersion);
  const baseURL = classic ? `${resource}/openai` : `${resource}/openai/v1`;
  const addressing = classic ? { baseURL, apiVersion, useDeploymentBasedUrls: true } : { baseURL };
  const label: ModelLabel = {
    model: `Azure OpenAI deployment "${deployment}"`,
    credential: apiKey === undefined ? 'the Entra identity of this process' : 'AZURE_OPENAI_API_KEY',
    address: 'AZURE_OPENAI_ENDPOINT, AZURE_OPENAI_DEPLOYMENT and AZURE_OPENAI_API_VERSION',
  };
  const signIn = apiKey === undefined ? entraSignIn(AZURE_OPENAI_SCOPE, label, options) : undefined;
  const load = once(async () => {
    const { createAzure } = await import('@ai-sdk/azure');
    const identity = signIn === undefined ? (apiKey === undefined ? {} : { apiKey }) : { tokenProvider: signIn };
    return createAzure({ ...addressing, ...identity }).chat(deployment);
  });
  return {
    name: deployment,
    provider: 'azure.ai.openai',
    server: serverOf(baseURL),
    label,
    ready: readyAfter(load, signIn),
  };
}

function foundry(config: Extract<ModelConfig, { provider: 'foundry' }>, options: ProviderOptions): Provider {
  const baseURL = `${withoutApiPath(config.projectEndpoint)}/openai/v1`;
  const label: ModelLabel = {
    model: `Foundry model deployment "${config.model}"`,
    credential: 'the Entra identity of this process',
    address: 'FOUNDRY_PROJECT_ENDPOINT and AOS_MODEL',
  };
  const signIn = entraSignIn(FOUNDRY_SCOPE, label, options);
  const load = once(async () => {
    const { createAzure } = await import('@ai-sdk/azure');
    return createAzure({ baseURL, tokenProvider: signIn }).chat(config.model);
  });
  return {
    name: config.model,
    provider: 'azure.ai.openai',
    server: serverOf(baseURL),
    label,
    ready: readyAfter(load, signIn),
  };
}

function openai(config: Extract<ModelConfig, { provider: 'openai' }>): Provider {
  const baseURL = withoutTrailingSlash(config.baseUrl ?? OPENAI_URL);
  const label: ModelLabel = {
    model: `OpenAI model "${config.model}"`,
    credential: 'OPENAI_API_KEY',
    address: config.baseUrl === undefined ? 'OPENAI_MODEL' : 'OPENAI_BASE_URL and OPENAI_MODEL',
  };
  const ready = once(async () => {
    const { createOpenAI } = await import('@ai-sdk/openai');
    return createOpenAI({ baseURL, apiKey: config.apiKey }).chat(config.model);
  });
  return { name: config.model, provider: 'openai', server: serverOf(baseURL), label, ready };
}

function openaiCompatible(config: Extract<ModelConfig, { provider: 'openai-compatible' }>): Provider {
  const { apiKey, model } = config;
  const baseURL = withoutTrailingSlash(config.baseUrl);
  const label: ModelLabel = {
    model: `The model "${model}" at OPENAI_BASE_URL`,
    credential: 'OPENAI_API_KEY',
    address: 'OPENAI_BASE_URL and OPENAI_MODEL',
  };
  const ready = once(async () => {
    const { createOpenAICompatible } = await import('@ai-sdk/openai-compatible');
    const identity = apiKey === undefined ? {} : { apiKey };
    return createOpenAICompatible({ name: 'openai-compatible', baseURL, includeUsage: true, ...identity }).chatModel(
      model,
    );
  });
  return { name: model, provider: 'openai_compatible', server: serverOf(baseURL), label, ready };
}

/** A function that returns a valid token, cached and renewed in time; its failures say what to check. */
function entraSignIn(scope: string, label: ModelLabel, options: ProviderOptions): () => Promise<string> {
  const tokens = once(async () => {
    const { DefaultAzureCredential, getBearerTokenProvider } = await import('@azure/identity');
    return getBearerTokenProvider(options.credential ?? new DefaultAzureCredential(), scope);
  });
  return async () => {
    const token = await tokens();
    try {
      return await token();
    } catch (thrown) {
      throw failure(
        label,
        retryOfSignIn(thrown),
        'got no Entra token: check that this process has an identity (managed identity, az login or AZURE_CLIENT_ID …) with a role such as "Cognitive Services OpenAI User"',
        thrown,
      );
    }
  };
}

/** The sign-in service itself being busy or down passes; having no identity, or a refused one, does not. */
function retryOfSignIn(thrown: unknown): 'later' | 'never' {
  const status = thrown instanceof Error && 'statusCode' in thrown ? Number(thrown.statusCode) : undefined;
  return status !== undefined && (status === 429 || status >= 500) ? 'later' : 'never';
}

function readyAfter(
  load: () => Promise<ProviderLanguageModel>,
  signIn: (() => Promise<string>) | undefined,
): () => Promise<ProviderLanguageModel> {
  return async () => {
    const model = await load();
    // Fetched here, where waiting for it can be aborted; the SDK asks again and gets the cached one.
    await signIn?.();
    return model;
  };
}

/** Runs `make` on the first call and keeps its result; a failure is not kept. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make().catch((failed: unknown) => {
      made = undefined;
      throw failed;
    });
    return made;
  };
}

/** The resource or project address inside whatever of its API addresses was copied from the portal. */
function withoutApiPath(address: string): string {
  const url = new URL(address);
  return `${url.origin}${withoutTrailingSlash(url.pathname.replace(/\/openai(\/.*)?$/, ''))}`;
}

function withoutTrailingSlash(address: string): string {
  return address.replace(/\/+$/, '');
}

function serverOf(address: string): { address: string; port: number } {
  const url = new URL(address);
  return { address: url.hostname, port: Number(url.port) || (url.protocol === 'http:' ? 80 : 443) };
}
