/**
 * The port to language models. A model takes one brief and streams one answer; it neither retries (the step does) nor
 * loops over tools (the turn does). `model-choice.ts` makes the one that the configuration names.
 */
import type { TurnUsage } from '../runs/event.ts';
import type { Brief, Prompt } from './brief.ts';

/** Which model the agents use. Azure signs in with Entra when it is given no key; a Foundry project always does. */
export type ModelConfig =
  | {
      readonly provider: 'azure';
      /** `https://<resource>.openai.azure.com`; a longer address copied from the portal does as well. */
      readonly endpoint: string;
      readonly deployment: string;
      /** A dated version selects the classic deployment addresses; otherwise the `v1` API is used. */
      readonly apiVersion?: string | undefined;
      readonly apiKey?: string | undefined;
    }
  | { readonly provider: 'foundry'; readonly projectEndpoint: string; readonly model: string }
  | {
      readonly provider: 'openai';
      readonly apiKey: string;
      readonly model: string;
      readonly baseUrl?: string | undefined;
    }
  | {
      readonly provider: 'openai-compatible';
      readonly baseUrl: string;
      readonly model: string;
      readonly apiKey?: string | undefined;
    }
  | ({ readonly provider: 'simulated' } & SimulatedPace);

/** How the simulated model paces itself, so that streams look and cancel like real ones. 0 and 0: at once. */
export interface SimulatedPace {
  /** Milliseconds before the first text of an answer. */
  readonly firstTokenMs: number;
  /** Milliseconds between two pieces of text. */
  readonly tokenMs: number;
}

export interface ModelRequest {
  readonly brief: Brief;
  /** The brief in words. */
  readonly prompt: Prompt;
}

export type ModelPart =
  | { readonly type: 'text'; readonly text: string }
  /** The last part of a complete answer. `model` and `id` are what the provider says answered. */
  | {
      readonly type: 'end';
      readonly usage: TurnUsage;
      readonly finishReason: string;
      readonly model: string | undefined;
      readonly id: string | undefined;
    };

export interface Model {
  /** As configured: a model or deployment name. */
  readonly name: string;
  /** Value of `gen_ai.provider.name`. */
  readonly provider: string;
  readonly simulated: boolean;
  /** Where it is called, for telemetry; absent when nothing is called. */
  readonly server?: { readonly address: string; readonly port: number };
  /**
   * Streams one answer.
   * @param signal aborts the call itself, not only the reading of it
   * @throws AosError `model_failed`, whose `retry` says whether the same call may succeed later; the signal's reason when aborted
   */
  stream(request: ModelRequest, signal: AbortSignal): AsyncIterable<ModelPart>;
}

/** What obtains Entra tokens; satisfied by every credential of `@azure/identity`. */
export interface TokenCredential {
  getToken(scopes: string | string[]): Promise<{ token: string; expiresOnTimestamp: number } | null>;
}
