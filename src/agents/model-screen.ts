/** What models ask for and are asked, as it may leave. */
import { AosError } from '../core/errors.ts';
import type { JsonValue } from '../core/json.ts';
import { parseJsonText } from '../core/json-text.ts';
import { type Egress, type Found, withheld } from '../governance/screening/egress.ts';
import type { KeyedEvent } from '../runs/event.ts';
import type { ModelRequest, ToolAnswer, ToolCall } from './model.ts';

/**
 * The call with arguments that may be kept. Where nothing is replaced they are not looked at here: the governor screens
 * what tools are used with.
 */
export function screenArguments(call: ToolCall, egress: Egress): { call: ToolCall; found: Found | undefined } {
  if (!egress.isStrict) return { call, found: undefined };
  const { data, found } = egress.data(readOrText(call.arguments));
  if (found === undefined) return { call, found };
  const screened = { ...call, arguments: typeof data === 'string' ? data : JSON.stringify(data) };
  return { call: found.taken === 'blocked' ? { ...screened, blocked: [...found.types] } : screened, found };
}

/** What the model wrote as JSON, so that names of fields tell what their values are; else its text. */
function readOrText(text: string): JsonValue {
  try {
    return text.trim() === '' ? text : parseJsonText(text, 'the arguments');
  } catch (thrown) {
    if (thrown instanceof AosError) return text;
    throw thrown;
  }
}

/** What a tool gave, as it may be kept and told; with BLOCK, that it is withheld. */
export function screenAnswer(answer: ToolAnswer, egress: Egress): { answer: ToolAnswer; found: Found | undefined } {
  const isFailure = 'error' in answer;
  const { data, found } = egress.data(isFailure ? answer.error.message : answer.result);
  if (found === undefined || found.taken === 'warned') return { answer, found };
  if (isFailure) return { answer: { error: { ...answer.error, message: String(data) } }, found };
  if (found.taken === 'redacted') return { answer: { result: data }, found };
  const { message } = withheld('What the tool gave', found);
  return { answer: { error: { code: 'PII_BLOCKED', message } }, found };
}

/** What was found in a step, as its run's log tells it. */
export function foundEvent(where: string, found: Found, agentId: string | null): KeyedEvent {
  const { types, paths, ...rest } = found;
  const whose = agentId === null ? {} : { agent_id: agentId };
  return {
    key: `${where}:screened`,
    type: 'screening.found',
    data: { where, direction: 'out', ...rest, types: [...types], paths: [...paths], ...whose },
  };
}

/** The words of a request, for those who only watch; the model itself gets the request. */
export function screenRequest(request: ModelRequest, egress: Egress): ModelRequest {
  if (!egress.isStrict) return request;
  const words = { prompt: request.prompt, exchanges: request.exchanges ?? [] };
  const { data, found } = egress.data(words as unknown as JsonValue);
  // The form stays: tokens stand in the place of texts.
  return found === undefined ? request : { ...request, ...(data as unknown as typeof words) };
}
