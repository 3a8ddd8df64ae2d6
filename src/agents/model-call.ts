/**
 * One call of the model under its span: what it says is handed on piece by piece, what it asks for is collected. Both are
 * screened on the way, so that nothing keeps what may not leave: neither the log, nor the step, nor the span.
 */
import type { Context } from '@opentelemetry/api';
import { type Egress, type Found, joinFound, openEgress } from '../governance/screening/egress.ts';
import type { TurnUsage } from '../runs/event.ts';
import { inSpan } from '../telemetry/span.ts';
import type { ModelPart, ModelRequest, ToolCall } from './model.ts';
import { screenArguments, screenRequest } from './model-screen.ts';
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
  readonly egress?: Egress | undefined;
}

/** What the model said, as it may leave, and what was found in it. */
export type Said = Pick<ModelAnswer, 'text' | 'calls' | 'usage'> & { readonly found: Found | undefined };

/** More calls than anybody sensibly asks for at once; what a model asks beyond is as if it had not. */
const MAX_CALLS_AT_ONCE = 32;

/**
 * @param write takes each piece of text
 * @throws AosError model_failed; the signal's reason when aborted
 */
export function callModel(
  { traceContext, captureContent, egress = openEgress }: ModelCallSetting,
  subject: SpanSubject,
  request: ModelRequest,
  write: (text: string) => void,
  signal: AbortSignal,
): Promise<Said> {
  const { model } = subject;
  return inSpan(chatSpan(subject), traceContext, async (span) => {
    const isCaptured = captureContent && span.isRecording();
    // What was said before the tenant became strict is in the conversation still.
    if (isCaptured) span.setAttributes(inputAttributes(screenRequest(request, egress)));
    const leaving = egress.text();
    let text = '';
    const say = (piece: string) => {
      if (piece === '') return;
      text += piece;
      write(piece);
    };
    const calls: ToolCall[] = [];
    let end: Extract<ModelPart, { type: 'end' }> | undefined;
    for await (const part of model.stream(request, signal)) {
      if (part.type === 'text') {
        say(leaving.push(part.text));
      } else if (part.type === 'tool-call') {
        calls.push({ id: part.id, name: part.name, arguments: part.arguments });
      } else {
        end = part;
      }
    }
    // A model says `end` or throws; the port's contract, checked here once for all models.
    if (end === undefined) throw new Error(`the model ${model.name} ended a stream without its end part`);
    say(leaving.finish());
    const asked = calls.slice(0, MAX_CALLS_AT_ONCE).map((call) => screenArguments(call, egress));
    const screened = asked.map(({ call }) => call);
    span.setAttributes(endAttributes(end));
    if (isCaptured) span.setAttributes(outputAttributes(text, screened, end.finishReason));
    const found = joinFound([leaving.found(), ...asked.map((each) => each.found)]);
    return { text, calls: screened, usage: end.usage, found };
  });
}
