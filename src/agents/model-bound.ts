/**
 * What a model call may use at most, known before it is made: what budgets set aside for it. The answer is bounded by
 * the number of tokens that the model is told it may write; of the question there is an estimate on the safe side, half a
 * token for each byte (models take a byte and a half or more for one, of most languages three or four).
 */
import type { Amounts } from '../governance/budget/budget.ts';
import type { TurnUsage } from '../runs/event.ts';
import type { Agent } from './agent.ts';
import type { Model, ModelRequest } from './model.ts';
import { costOf } from './price.ts';

/** How long an answer may be where a budget has to know, unless the agent's `config.max_output_tokens` says. */
const MAX_OUTPUT_TOKENS = 4096;
const BYTES_A_TOKEN = 2;
/** What each message and each tool costs beside its text. */
const TOKENS_A_PART = 16;

export function maxOutputTokensOf(agent: Agent): number {
  const given = agent.config['max_output_tokens'];
  return typeof given === 'number' && Number.isInteger(given) && given > 0 ? given : MAX_OUTPUT_TOKENS;
}

export function mostOf(request: ModelRequest, model: Model, maxOutputTokens: number): Amounts {
  const input = mostInputTokens(request);
  return { tokens: input + maxOutputTokens, cost_usd: costOf(model.price ?? null, input, maxOutputTokens) };
}

export function usedBy({ tokens_input, tokens_output, cost_usd }: TurnUsage) {
  return { tokens: tokens_input + tokens_output, cost_usd: cost_usd ?? 0 };
}

function mostInputTokens({ prompt, tools = [], exchanges = [] }: ModelRequest): number {
  const bytes = Buffer.byteLength(JSON.stringify([prompt, tools, exchanges]));
  const parts = 1 + prompt.messages.length + tools.length + exchanges.flatMap(({ calls }) => calls).length * 2;
  return Math.ceil(bytes / BYTES_A_TOKEN) + parts * TOKENS_A_PART;
}
