/**
 * Models behind HTTP, through the language-model interface of the AI SDK: one streamed chat completion per call, no
 * retries, no tool loop: a call for tools ends the completion. The provider's package is loaded on the first call.
 */
import { untilAborted } from '../core/abort.ts';
import type { Clock } from '../core/clock.ts';
import type { AosError } from '../core/errors.ts';
import { isJsonObject, type JsonObject } from '../core/json.ts';
import type { TurnUsage } from '../runs/event.ts';
import type { Model, ModelPart, ModelRequest, ToolAnswer } from './model.ts';
import { type ModelLabel, modelFailure, stalledCall, unusableAnswer } from './model-failure.ts';
import { costOf, type Price, type PriceTable, priceOf } from './price.ts';
import { openProvider, type ProviderConfig, type ProviderLanguageModel, type ProviderOptions } from './provider.ts';

type CallOptions = Parameters<ProviderLanguageModel['doStream']>[0];
type StreamPart =
  Awaited<ReturnType<ProviderLanguageModel['doStream']>>['stream'] extends ReadableStream<infer Part> ? Part : never;
type FinishPart = Extract<StreamPart, { type: 'finish' }>;

/** A provider that is silent for so long is taken for dead; slow reasoning models stay below it. */
const STALL_MS = 120_000;

export interface ProviderModelOptions extends ProviderOptions {
  readonly clock: Clock;
  /** Milliseconds without a sign of life after which a call is given up. */
  readonly stallMs?: number;
  /** What models cost; nothing is known when left out. */
  readonly prices?: PriceTable;
}

export function createProviderModel(config: ProviderConfig, options: ProviderModelOptions): Model {
  const { clock, stallMs = STALL_MS, prices = {} } = options;
  const provider = openProvider(config, options);
  return {
    name: provider.name,
    provider: provider.provider,
    simulated: false,
    server: provider.server,
    price: priceOf(prices, [provider.name]),
    async *stream(request, signal) {
      const guard = createStallGuard(clock, stallMs, provider.label);
      const either = AbortSignal.any([signal, guard.signal]);
      try {
        guard.touch();
        either.throwIfAborted();
        const model = await untilAborted(provider.ready(), either);
        yield* answer(model, request, { ...provider, prices }, either, guard.touch);
      } catch (thrown) {
        // Aborted: what the client library throws then is its own affair, the signal knows why.
        if (signal.aborted) throw signal.reason;
        if (guard.signal.aborted) throw guard.signal.reason;
        throw modelFailure(provider.label, thrown);
      } finally {
        guard.end();
      }
    },
  };
}

async function* answer(
  model: ProviderLanguageModel,
  request: ModelRequest,
  { label, name, prices }: { readonly label: ModelLabel; readonly name: string; readonly prices: PriceTable },
  signal: AbortSignal,
  onSignOfLife: () => void,
): AsyncGenerator<ModelPart> {
  const { stream } = await model.doStream({
    prompt: messagesOf(request),
    abortSignal: signal,
    ...(request.maxOutputTokens !== undefined && { maxOutputTokens: request.maxOutputTokens }),
    ...toolOptions(request),
  });
  let responseModel: string | undefined;
  let id: string | undefined;
  let finish: FinishPart | undefined;
  /** Whether there is anything in the answer: words, or calls of tools. */
  let hasContent = false;
  for await (const part of stream as ReadableStream<StreamPart>) {
    onSignOfLife();
    switch (part.type) {
      case 'text-delta':
        hasContent ||= part.delta.trim() !== '';
        if (part.delta !== '') yield { type: 'text', text: part.delta };
        break;
      case 'tool-call':
        hasContent = true;
        yield { type: 'tool-call', id: part.toolCallId, name: part.toolName, arguments: part.input };
        break;
      case 'response-metadata':
        responseModel = part.modelId ?? responseModel;
        id = part.id ?? id;
        break;
      case 'finish':
        finish = part;
        break;
      case 'error':
        // An error inside a stream that began well carries no HTTP status: it happened in the middle of an answer.
        throw modelFailure(label, withStatus(part.error));
    }
  }
  const finishReason = finish?.finishReason.unified ?? 'none';
  const fault = unusableAnswer(label, finishReason, hasContent);
  if (fault !== undefined) throw fault;
  const names = responseModel === undefined ? [name] : [responseModel, name];
  yield { type: 'end', usage: usageOf(finish, priceOf(prices, names)), finishReason, model: responseModel, id };
}

function messagesOf({ prompt, exchanges = [] }: ModelRequest): CallOptions['prompt'] {
  return [
    { role: 'system', content: prompt.instructions },
    ...prompt.messages.map(({ role, content }) => ({ role, content: [{ type: 'text' as const, text: content }] })),
    ...exchanges.flatMap(({ text, calls }): CallOptions['prompt'] => [
      {
        role: 'assistant',
        content: [
          ...(text === '' ? [] : [{ type: 'text' as const, text }]),
          ...calls.map(({ id, name, arguments: given }) => ({
            type: 'tool-call' as const,
            toolCallId: id,
            toolName: name,
            // What came malformed is not sent back as arguments, which providers refuse; its answer says what it was.
            input: objectIn(given),
          })),
        ],
      },
      {
        role: 'tool',
        content: calls.map(({ id, name, answer }) => ({
          type: 'tool-result' as const,
          toolCallId: id,
          toolName: name,
          output: outputOf(answer),
        })),
      },
    ]),
  ];
}

function toolOptions({ tools = [], toolsClosed = false }: ModelRequest): Pick<CallOptions, 'tools' | 'toolChoice'> {
  if (tools.length === 0) return {};
  return {
    tools: tools.map(({ name, description, parameters }) => ({
      type: 'function',
      name,
      description,
      inputSchema: parameters,
    })),
    ...(toolsClosed ? { toolChoice: { type: 'none' } } : {}),
  };
}

function outputOf(answer: ToolAnswer) {
  if ('error' in answer) return { type: 'error-text' as const, value: answer.error.message };
  return typeof answer.result === 'string'
    ? { type: 'text' as const, value: answer.result }
    : { type: 'json' as const, value: answer.result };
}

function objectIn(text: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : {};
  } catch {
    return {};
  }
}

function usageOf(finish: FinishPart | undefined, price: Price | null): TurnUsage {
  const input = finish?.usage.inputTokens.total;
  const output = finish?.usage.outputTokens.total;
  return {
    tokens_input: input ?? 0,
    tokens_output: output ?? 0,
    cost_usd: input === undefined || output === undefined ? null : costOf(price, input, output),
  };
}

function withStatus(error: unknown): unknown {
  if (typeof error !== 'object' || error === null) return { message: String(error), statusCode: 200 };
  if ('statusCode' in error) return error;
  return {
    message: 'message' in error ? error.message : 'unreadable stream',
    statusCode: 200,
    ...('code' in error ? { code: error.code } : {}),
  };
}

interface StallGuard {
  readonly signal: AbortSignal;
  /** Called at every sign of life. */
  touch(): void;
  end(): void;
}

function createStallGuard(clock: Clock, stallMs: number, label: ModelLabel): StallGuard {
  const controller = new AbortController();
  let last = 0;
  const reason = (): AosError => stalledCall(label, Math.round(stallMs / 1000));
  // Looked at a few times per period rather than re-armed at every token.
  const timer = clock.every(Math.max(1, stallMs / 4), () => {
    if (clock.monotonic() - last >= stallMs) controller.abort(reason());
  });
  return {
    signal: controller.signal,
    touch: () => {
      last = clock.monotonic();
    },
    end: () => {
      timer.cancel();
      // Ends the HTTP call when the reader stopped in the middle; after a whole answer there is nothing left to end.
      controller.abort(reason());
    },
  };
}
