/** A model that says what a test tells it to, piece by piece, and keeps what it was asked. */
import type { Brief } from '../../src/agents/brief.ts';
import type { Model, ModelRequest } from '../../src/agents/model.ts';

/** That the model asks for a tool; arguments that are a text are sent as they are. */
export interface ScriptedCall {
  readonly tool: string;
  readonly args: object | string;
}

/** Pieces of text, calls of tools, or a failure to throw where it stands. */
export type Script = readonly (string | ScriptedCall | Error)[];

export interface ScriptedModel extends Model {
  readonly asked: ModelRequest[];
}

/** @param script what to say to a brief, given how often this brief's agent and kind was asked before */
export function scriptedModel(script: (brief: Brief, nth: number, request: ModelRequest) => Script): ScriptedModel {
  const asked: ModelRequest[] = [];
  let calls = 0;
  return {
    name: 'scripted-1',
    provider: 'test',
    simulated: false,
    asked,
    async *stream(request, signal) {
      const same = ({ brief }: ModelRequest) =>
        brief.kind === request.brief.kind && brief.agent.agent_id === request.brief.agent.agent_id;
      const nth = asked.filter(same).length;
      asked.push({ ...request, exchanges: [...(request.exchanges ?? [])] });
      let finishReason = 'stop';
      for (const piece of script(request.brief, nth, request)) {
        await new Promise((resolve) => setImmediate(resolve));
        signal.throwIfAborted();
        if (piece instanceof Error) throw piece;
        if (typeof piece === 'string') yield { type: 'text', text: piece };
        else {
          calls += 1;
          finishReason = 'tool-calls';
          const given = typeof piece.args === 'string' ? piece.args : JSON.stringify(piece.args);
          yield { type: 'tool-call', id: `call-${calls}`, name: piece.tool, arguments: given };
        }
      }
      const usage = { tokens_input: 10, tokens_output: 5, cost_usd: 0.001 };
      yield { type: 'end', usage, finishReason, model: 'scripted-1', id: undefined };
    },
  };
}
