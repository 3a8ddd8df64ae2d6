/** A model that says what a test tells it to, piece by piece, and keeps what it was asked. */
import type { Brief } from '../../src/agents/brief.ts';
import type { Model, ModelRequest } from '../../src/agents/model.ts';

/** Pieces of text, or a failure to throw where it stands. */
export type Script = readonly (string | Error)[];

export interface ScriptedModel extends Model {
  readonly asked: ModelRequest[];
}

/** @param script what to say to a brief, given how often this brief's agent and kind was asked before */
export function scriptedModel(script: (brief: Brief, nth: number) => Script): ScriptedModel {
  const asked: ModelRequest[] = [];
  return {
    name: 'scripted-1',
    provider: 'test',
    simulated: false,
    asked,
    async *stream(request, signal) {
      const same = ({ brief }: ModelRequest) =>
        brief.kind === request.brief.kind && brief.agent.agent_id === request.brief.agent.agent_id;
      const nth = asked.filter(same).length;
      asked.push(request);
      for (const piece of script(request.brief, nth)) {
        await new Promise((resolve) => setImmediate(resolve));
        signal.throwIfAborted();
        if (typeof piece !== 'string') throw piece;
        yield { type: 'text', text: piece };
      }
      const usage = { tokens_input: 10, tokens_output: 5, cost_usd: 0.001 };
      yield { type: 'end', usage, finishReason: 'stop', model: 'scripted-1', id: undefined };
    },
  };
}
