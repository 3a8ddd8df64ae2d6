import { context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-node';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Tool } from '../../src/agents/tool.ts';
import { AosError } from '../../src/core/errors.ts';
import { extractContext, installTraceContext } from '../../src/telemetry/tracing.ts';
import { MemoryRun } from '../support/run-scope.ts';
import { scriptedModel } from '../support/scripted-model.ts';
import { tickingClock } from '../support/ticking-clock.ts';
import { type TurnParts, turnProgram } from '../support/turn.ts';

const exporter = new InMemorySpanExporter();
beforeAll(() => {
  installTraceContext();
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
});
afterAll(() => {
  trace.disable();
  context.disable();
});
beforeEach(() => exporter.reset());

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
const traceparent = `00-${TRACE_ID}-b7ad6b7169203331-01`;

const double: Tool<{ of: number }> = {
  name: 'double',
  version: '1',
  description: 'Doubles a number.',
  input: z.object({ of: z.number() }),
  effect: 'read',
  timeoutMs: 1000,
  run: async ({ of }) => ({ doubled: of * 2 }),
};

async function spansOf(parts: TurnParts): Promise<ReadableSpan[]> {
  const program = turnProgram({ ...parts, parent: extractContext({ traceparent }) });
  await new MemoryRun({ message: 'x' }).execute(program).catch(() => {});
  await new Promise((resolve) => setImmediate(resolve));
  return exporter.getFinishedSpans();
}

function named(spans: readonly ReadableSpan[], name: string): ReadableSpan {
  const found = spans.find((span) => span.name === name);
  if (found === undefined) throw new Error(`no span ${name} among ${spans.map((span) => span.name).join(', ')}`);
  return found;
}

describe('the spans of a turn', () => {
  it('are the agent and below it the model call, in the trace of the caller', async () => {
    const spans = await spansOf({ model: scriptedModel(() => ['fine']) });
    const [agent, chat] = ['invoke_agent cfo', 'chat scripted-1'].map((name) => named(spans, name));
    expect(spans).toHaveLength(2);
    expect(spans.map((span) => span.spanContext().traceId)).toEqual([TRACE_ID, TRACE_ID]);
    expect(agent?.parentSpanContext?.spanId).toBe('b7ad6b7169203331');
    expect(chat?.parentSpanContext?.spanId).toBe(agent?.spanContext().spanId);
    expect([agent?.kind, chat?.kind]).toEqual([SpanKind.INTERNAL, SpanKind.CLIENT]);
  });

  it('say who answered, how much it took and that it was or was not simulated, but not what was said', async () => {
    const spans = await spansOf({ model: scriptedModel(() => ['fine']) });
    expect(named(spans, 'chat scripted-1').attributes).toEqual({
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'test',
      'gen_ai.request.model': 'scripted-1',
      'gen_ai.response.model': 'scripted-1',
      'gen_ai.response.finish_reasons': ['stop'],
      'gen_ai.conversation.id': 'session-1',
      'gen_ai.usage.input_tokens': 10,
      'gen_ai.usage.output_tokens': 5,
      'aos.usage.cost_usd': 0.001,
      'aos.run.id': 'run-1',
      'aos.turn': 'chat/1',
      'aos.simulated': false,
    });
    expect(named(spans, 'invoke_agent cfo').attributes).toMatchObject({
      'gen_ai.operation.name': 'invoke_agent',
      'gen_ai.agent.id': 'cfo',
      'gen_ai.agent.name': 'CFO',
      'gen_ai.usage.output_tokens': 5,
      'aos.simulated': false,
    });
    expect(JSON.stringify(spans.map((span) => span.attributes))).not.toContain('fine');
  });

  it('of tools stand beside those of the model, below the agent, and the agent counts all calls', async () => {
    const model = scriptedModel((_brief, nth) => (nth === 0 ? [{ tool: 'double', args: { of: 21 } }] : ['42']));
    const spans = await spansOf({ model, tools: [double] });
    const agent = named(spans, 'invoke_agent cfo');
    const tool = named(spans, 'execute_tool double');
    expect(spans.map(({ name }) => name)).toEqual([
      'chat scripted-1',
      'execute_tool double',
      'chat scripted-1',
      'invoke_agent cfo',
    ]);
    expect(tool.parentSpanContext?.spanId).toBe(agent.spanContext().spanId);
    expect(tool.kind).toBe(SpanKind.INTERNAL);
    expect(tool.attributes).toEqual({
      'gen_ai.operation.name': 'execute_tool',
      'gen_ai.tool.name': 'double',
      'gen_ai.tool.type': 'function',
      'gen_ai.tool.call.id': 'call-1',
      'gen_ai.tool.description': 'Doubles a number.',
      'gen_ai.conversation.id': 'session-1',
      'aos.run.id': 'run-1',
      'aos.turn': 'chat/1',
    });
    expect(agent.attributes['gen_ai.usage.input_tokens']).toBe(20);
  });

  it('hold what was said when that is switched on', async () => {
    const model = scriptedModel((_brief, nth) => (nth === 0 ? [{ tool: 'double', args: { of: 21 } }] : ['fine']));
    const spans = await spansOf({ model, tools: [double], captureContent: true });
    const { attributes } = spans.filter(({ name }) => name === 'chat scripted-1').at(1) ?? {};
    expect(JSON.parse(String(attributes?.['gen_ai.input.messages']))).toEqual([
      { role: 'user', parts: [{ type: 'text', content: 'my words' }] },
      { role: 'assistant', parts: [{ type: 'tool_call', id: 'call-1', name: 'double', arguments: '{"of":21}' }] },
      { role: 'tool', parts: [{ type: 'tool_call_response', id: 'call-1', response: { result: { doubled: 42 } } }] },
    ]);
    expect(JSON.parse(String(attributes?.['gen_ai.output.messages']))).toEqual([
      { role: 'assistant', parts: [{ type: 'text', content: 'fine' }], finish_reason: 'stop' },
    ]);
    expect(String(attributes?.['gen_ai.system_instructions'])).toContain('being cfo');
    expect(named(spans, 'execute_tool double').attributes).toMatchObject({
      'gen_ai.tool.call.arguments': '{"of":21}',
      'gen_ai.tool.call.result': '{"result":{"doubled":42}}',
    });
  });

  it('are marked as failed with the code of the failure', async () => {
    const refused = new AosError('model_failed', 'the key was refused', { retry: 'never' });
    const spans = await spansOf({ model: scriptedModel(() => [refused]) });
    expect(spans).toHaveLength(2);
    for (const span of spans) {
      expect(span.attributes['error.type'], span.name).toBe('model_failed');
      expect(span.status.code, span.name).toBe(SpanStatusCode.ERROR);
    }
  });

  it('are not there for what was only read back', async () => {
    const run = new MemoryRun({ message: 'x' });
    const model = scriptedModel(() => ['fine']);
    await run.execute(turnProgram({ model }));
    exporter.reset();
    expect(await run.execute(turnProgram({ model }))).toMatchObject({ output: 'fine' });
    expect(exporter.getFinishedSpans()).toEqual([]);
    expect(model.asked).toHaveLength(1);
  });
});

describe('a turn', () => {
  it('tells what it is before it begins and what it was when it ends', async () => {
    const run = new MemoryRun({ message: 'x' });
    await run.execute(turnProgram({ model: scriptedModel(() => ['fine']), clock: tickingClock(1) }));
    expect(run.types).toEqual(['turn.started', 'turn.delta', 'turn.completed']);
    expect(run.events.map((event) => event.data)).toMatchObject([
      { turn: 'chat/1', agent_id: 'cfo', round: 1, model: 'scripted-1', simulated: false },
      { turn: 'chat/1', agent_id: 'cfo', offset: 0, text: 'fine' },
      {
        turn: 'chat/1',
        agent_id: 'cfo',
        round: 1,
        output: 'fine',
        usage: { tokens_input: 10, tokens_output: 5, cost_usd: 0.001 },
        model: 'scripted-1',
        simulated: false,
        tool_calls: 0,
        progress: 1,
      },
    ]);
  });
});
