/** One call of the model under its span: what it says is handed on piece by piece, what it asks for is collected. */
import type { Context } from '@opentelemetry/api';
import type { TurnUsage } from '../runs/event.ts';
import { inSpan } from '../telemetry/span.ts';
import type { ModelPart, ModelRequest, ToolCall } from './model.ts';
import { chatSpan, endAttributes, inputAttributes, outputAttributes, type SpanSubject } from './turn-span.ts';

/** What came of a model call, as it is stored. `calls` is empty when this is the whole answer. */
export type ModelAnswer = {
  text: string;
  calls: ToolCall[];
  usage: TurnUsage;
  started_at: string;
  completed_at: string;
};

export interface ModelCallSetting {
  readonly traceContext: Context;
  /** Whether spans may hold what people and models wrote. */
  readonly captureContent: boolean;
}

/** More calls than anybody sensibly asks for at once; what a model asks beyond is as if it had not. */
const MAX_CALLS_AT_ONCE = 32;

/**
 * @param write takes each piece of text
 * @throws AosError model_failed; the signal's reason when aborted
 */
export function callModel(
  { traceContext, captureContent }: ModelCallSetting,
  subject: SpanSubject,
  request: ModelRequest,
  write: (text: string) => void,
  signal: AbortSignal,
): Promise<Pick<ModelAnswer, 'text' | 'calls' | 'usage'>> {
  const { model } = subject;
  return inSpan(chatSpan(subject), traceContext, async (span) => {
    if (captureContent) span.setAttributes(inputAttributes(request));
    let text = '';
    const calls: ToolCall[] = [];
    let end: Extract<ModelPart, { type: 'end' }> | undefined;
    for await (const part of model.stream(request, signal)) {
      if (part.type === 'text') {
        text += part.text;
        write(part.text);
      } else if (part.type === 'tool-call') {
        calls.push({ id: part.id, name: part.name, arguments: part.arguments });
      } else {
        end = part;
      }
    }
    // A model says `end` or throws; the port's contract, checked here once for all models.
    if (end === undefined) throw new Error(`the model ${model.name} ended a stream without its end part`);
    span.setAttributes(endAttributes(end));
    if (captureContent) span.setAttributes(outputAttributes(text, calls, end.finishReason));
    return { text, calls: calls.slice(0, MAX_CALLS_AT_ONCE), usage: end.usage };
  });
}
