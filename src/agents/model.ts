/**
 * The port to language models. A model takes one brief and streams one answer; it neither retries (the step does) nor
 * loops over tools (the turn does). `model-choice.ts` makes the one that the configuration names.
 */
import type { JsonValue } from '../core/json.ts';
import type { TurnUsage } from '../runs/event.ts';
import type { Brief, Prompt } from './brief.ts';
import type { Price } from './price.ts';
import type { ToolDescription } from './tool.ts';

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

/** At once. */
export const quickPace: SimulatedPace = { firstTokenMs: 0, tokenMs: 0 };

export interface ModelRequest {
  readonly brief: Brief;
  /** The brief in words. */
  readonly prompt: Prompt;
  /** What the model may ask for; nothing when left out. */
  readonly tools?: readonly ToolDescription[];
  /** True when it has asked for enough: it must answer with what it has. The tools are named still, as history. */
  readonly toolsClosed?: boolean;
  /** What the model asked for in this turn so far and was told, in order. */
  readonly exchanges?: readonly ToolExchange[];
  /** How many tokens it may answer with; as the provider has it when left out. */
  readonly maxOutputTokens?: number;
}

/** That a model asks for a tool. `arguments` is the text as the model wrote it, which may be no JSON at all. */
export type ToolCall = {
  id: string;
  name: string;
  arguments: string;
  /** Kinds of personal data in it for which it may not be used; they are not in `arguments` any more. */
  blocked?: string[];
};

/** What the model is told: what the tool gave, or why it gave nothing. */
export type ToolAnswer = { result: JsonValue } | { error: { code: string; message: string } };

/** One answer of the model that asked for tools, and what came of it. */
export interface ToolExchange {
  /** What it said beside. */
  readonly text: string;
  readonly calls: readonly (ToolCall & { readonly answer: ToolAnswer })[];
}

export type ModelPart =
  | { readonly type: 'text'; readonly text: string }
  | ({ readonly type: 'tool-call' } & Readonly<ToolCall>)
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
  /** What it costs, as far as that is known before it has answered; not known when left out. */
  readonly price?: Price | null;
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
