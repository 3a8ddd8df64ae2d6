/** One turn of one agent, by itself, on the engine's port in memory. */

import { type Context, context } from '@opentelemetry/api';
import type { Agent } from '../../src/agents/agent.ts';
import type { Brief } from '../../src/agents/brief.ts';
import type { Model } from '../../src/agents/model.ts';
import { createProgress } from '../../src/agents/progress.ts';
import { createToolSet, type Tool } from '../../src/agents/tool.ts';
import type { TurnSetting } from '../../src/agents/turn.ts';
import { runTurn } from '../../src/agents/turn-loop.ts';
import { systemClock } from '../../src/core/clock.ts';
import type { RunProgram } from '../../src/engine/engine.ts';
import { testAgent } from './agents.ts';
import { unenforcedGovernor } from './governance.ts';

export interface TurnParts extends Partial<Omit<TurnSetting, 'scope' | 'model' | 'tools'>> {
  readonly model: Model;
  /** All of them are the agent's. */
  readonly tools?: readonly Tool[];
  readonly config?: Agent['config'];
  readonly message?: string;
  readonly parent?: Context;
}

/** A program that is one chat turn `chat/1` of the agent `cfo`; its result is the turn's outcome. */
export function turnProgram(parts: TurnParts): RunProgram {
  const { model, tools = [], config = {}, message = 'my words', parent = context.active(), ...others } = parts;
  const agent = testAgent('cfo', { config: { tools: tools.map(({ name }) => name), ...config } });
  const brief: Brief = { kind: 'chat', agent, messages: [{ role: 'user', content: message }], today: '2026-02-01' };
  return (scope) =>
    runTurn(
      {
        scope,
        model,
        clock: systemClock,
        governor: unenforcedGovernor(),
        progress: createProgress(1),
        traceContext: parent,
        captureContent: false,
        tools: createToolSet(tools),
        ...others,
      },
      { name: 'chat/1', agent, round: 1 },
      () => brief,
    );
}
