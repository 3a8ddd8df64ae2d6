/**
 * The model used when none is configured: offline, free, and the same answer to the same brief every time. It reads
 * the figures, dates and names of the task and composes an answer by rules, so that everything above it can be seen
 * working. It is marked `simulated` wherever its answers go and says so itself when asked. Its rules are loaded at the
 * first question, like any provider.
 */
import type { Clock } from '../core/clock.ts';
import type { Brief, Prompt } from './brief.ts';
import type { Model, SimulatedPace } from './model.ts';

/** One piece of a stream: about as much as real models send at once. */
const PIECE = /(?:\s*\S+){1,2}\s*$|(?:\s*\S+){2}/g;

export function createSimulatedModel(pace: SimulatedPace, clock: Clock): Model {
  return {
    name: 'simulated',
    provider: 'aos.simulated',
    simulated: true,
    async *stream({ brief, prompt }, signal) {
      const answer = await answerTo(brief);
      let wait = pace.firstTokenMs;
      for (const [piece] of answer.matchAll(PIECE)) {
        if (wait > 0) await clock.sleep(wait, signal);
        signal.throwIfAborted();
        yield { type: 'text', text: piece };
        wait = pace.tokenMs;
      }
      yield {
        type: 'end',
        usage: { tokens_input: tokensOf(prompt), tokens_output: tokensIn(answer), cost_usd: 0 },
        finishReason: 'stop',
        model: 'simulated',
        id: undefined,
      };
    },
  };
}

async function answerTo(brief: Brief): Promise<string> {
  if (brief.kind === 'chat') return (await import('./simulated/chat.ts')).simulatedReply(brief);
  return (await import('./simulated/answer.ts')).simulatedAnswer(brief);
}

function tokensOf(prompt: Prompt): number {
  return tokensIn([prompt.instructions, ...prompt.messages.map(({ content }) => content)].join('\n'));
}

/** The usual rule of thumb: four characters a token. */
function tokensIn(text: string): number {
  return Math.ceil(text.length / 4);
}
