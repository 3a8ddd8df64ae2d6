/**
 * The model used when none is configured: offline, free, and the same answer to the same brief every time. It reads
 * the figures, dates and names of the task and composes an answer by rules, so that everything above it can be seen
 * working. It is marked `simulated` wherever its answers go and says so itself when asked. Its rules are loaded at the
 * first question, like any provider.
 */
import type { Clock } from '../core/clock.ts';
import type { Model, ModelRequest, SimulatedPace, ToolCall } from './model.ts';

/** One piece of a stream: about as much as real models send at once. */
const PIECE = /(?:\s*\S+){1,2}\s*$|(?:\s*\S+){2}/g;

export function createSimulatedModel(pace: SimulatedPace, clock: Clock): Model {
  return {
    name: 'simulated',
    provider: 'aos.simulated',
    simulated: true,
    price: { input: 0, output: 0 },
    async *stream(request, signal) {
      const { text, calls } = await answerTo(request);
      let wait = pace.firstTokenMs;
      for (const [piece] of text.matchAll(PIECE)) {
        if (wait > 0) await clock.sleep(wait, signal);
        signal.throwIfAborted();
        yield { type: 'text', text: piece };
        wait = pace.tokenMs;
      }
      if (calls.length > 0 && wait > 0) await clock.sleep(wait, signal);
      signal.throwIfAborted();
      for (const call of calls) yield { type: 'tool-call', ...call };
      const written = calls.map((call) => call.arguments).join('');
      yield {
        type: 'end',
        usage: { tokens_input: tokensOf(request), tokens_output: tokensIn(text + written), cost_usd: 0 },
        finishReason: calls.length > 0 ? 'tool-calls' : 'stop',
        model: 'simulated',
        id: undefined,
      };
    },
  };
}

interface Answer {
  readonly text: string;
  /** What is wanted of tools first. */
  readonly calls: readonly ToolCall[];
}

async function answerTo({ brief, tools = [], toolsClosed, exchanges = [] }: ModelRequest): Promise<Answer> {
  if (brief.kind !== 'chat') {
    return { text: (await import('./simulated/answer.ts')).simulatedAnswer(brief), calls: [] };
  }
  const toolUse = await import('./simulated/tool-use.ts');
  if (exchanges.length > 0) return { text: toolUse.simulatedConclusion(exchanges), calls: [] };
  const offered = toolsClosed === true ? [] : tools.map(({ name }) => name);
  const calls = toolUse.simulatedCalls(brief, offered);
  if (calls.length > 0) return { text: '', calls };
  const { simulatedReply } = await import('./simulated/chat.ts');
  return { text: toolUse.simulatedExplanation(brief) ?? simulatedReply(brief), calls };
}

function tokensOf({ prompt, exchanges = [] }: ModelRequest): number {
  const told = exchanges.flatMap(({ calls }) => calls.map(({ answer }) => JSON.stringify(answer)));
  return tokensIn([prompt.instructions, ...prompt.messages.map(({ content }) => content), ...told].join('\n'));
}

/** The usual rule of thumb: four characters a token. */
function tokensIn(text: string): number {
  return Math.ceil(text.length / 4);
}
