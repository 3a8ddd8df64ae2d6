import { context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-node';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { SessionMemory } from '../../src/agents/session.ts';
import { AosError } from '../../src/core/errors.ts';
import { createRunProgram } from '../../src/orchestration/program.ts';
import { installTraceContext } from '../../src/telemetry/tracing.ts';
import { testCatalogue } from '../support/agents.ts';
import { MemoryRun } from '../support/run-scope.ts';
import { type ScriptedModel, scriptedModel } from '../support/scripted-model.ts';
import { tickingClock } from '../support/ticking-clock.ts';

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
const memory: SessionMemory = { add: async () => 1, recall: async () => [{ role: 'user', content: 'my words' }] };
const work = { agent_ids: ['ceo'], workflow: 'sequential', task: { type: 'review' } };

async function spansOf(
  model: ScriptedModel,
  request = work as object,
  captureContent = false,
): Promise<ReadableSpan[]> {
  const run = new MemoryRun(request as typeof work, { traceparent });
  const program = createRunProgram({
    catalogue: testCatalogue('ceo'),
    model,
    memory,
    clock: tickingClock(1),
    captureContent,
  });
  await run.execute(program).catch(() => {});
  return exporter.getFinishedSpans();
}

function named(spans: readonly ReadableSpan[], name: string): ReadableSpan {
  const found = spans.find((span) => span.name === name);
  if (found === undefined) throw new Error(`no span ${name} among ${spans.map((span) => span.name).join(', ')}`);
  return found;
}

describe('the spans of a turn', () => {
  it('are the workflow, the agent and the model call, each below the other, in the trace of the caller', async () => {
    const spans = await spansOf(scriptedModel(() => ['fine']));
    const [workflow, agent, chat] = ['invoke_workflow sequential', 'invoke_agent ceo', 'chat scripted-1'].map((name) =>
      named(spans, name),
    );
    expect(spans).toHaveLength(3);
    expect(spans.map((span) => span.spanContext().traceId)).toEqual([TRACE_ID, TRACE_ID, TRACE_ID]);
    expect(workflow?.parentSpanContext?.spanId).toBe('b7ad6b7169203331');
    expect(agent?.parentSpanContext?.spanId).toBe(workflow?.spanContext().spanId);
    expect(chat?.parentSpanContext?.spanId).toBe(agent?.spanContext().spanId);
    expect([workflow?.kind, agent?.kind, chat?.kind]).toEqual([SpanKind.INTERNAL, SpanKind.INTERNAL, SpanKind.CLIENT]);
  });

  it('say who answered, how much it took and that it was or was not simulated, but not what was said', async () => {
    const spans = await spansOf(scriptedModel(() => ['fine']));
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
      'aos.turn': 'step-1/ceo',
      'aos.simulated': false,
    });
    expect(named(spans, 'invoke_agent ceo').attributes).toMatchObject({
      'gen_ai.operation.name': 'invoke_agent',
      'gen_ai.agent.id': 'ceo',
      'gen_ai.agent.name': 'CEO',
      'gen_ai.usage.output_tokens': 5,
      'aos.simulated': false,
    });
    expect(JSON.stringify(spans.map((span) => span.attributes))).not.toContain('fine');
  });

  it('hold what was said when that is switched on', async () => {
    const spans = await spansOf(
      scriptedModel(() => ['fine']),
      { message: 'my words' },
      true,
    );
    const { attributes } = named(spans, 'chat scripted-1');
    expect(JSON.parse(String(attributes['gen_ai.input.messages']))).toEqual([
      { role: 'user', parts: [{ type: 'text', content: 'my words' }] },
    ]);
    expect(JSON.parse(String(attributes['gen_ai.output.messages']))).toEqual([
      { role: 'assistant', parts: [{ type: 'text', content: 'fine' }], finish_reason: 'stop' },
    ]);
    expect(String(attributes['gen_ai.system_instructions'])).toContain('being ceo');
  });

  it('are marked as failed with the code of the failure', async () => {
    const refused = new AosError('model_failed', 'the key was refused', { retry: 'never' });
    const spans = await spansOf(scriptedModel(() => [refused]));
    for (const span of spans) {
      expect(span.attributes['error.type'], span.name).toBe('model_failed');
      expect(span.status.code, span.name).toBe(SpanStatusCode.ERROR);
    }
  });
});

describe('a turn', () => {
  it('tells what it is before it begins and what it was when it ends', async () => {
    const run = new MemoryRun(work);
    const program = createRunProgram({
      catalogue: testCatalogue('ceo'),
      model: scriptedModel(() => ['fine']),
      memory,
      clock: tickingClock(1),
    });
    await run.execute(program);
    expect(run.events.map((event) => event.data)).toMatchObject([
      { plan: { phases: [['step-1/ceo']], planned_turns: 1 } },
      { turn: 'step-1/ceo', agent_id: 'ceo', round: 1, model: 'scripted-1', simulated: false },
      { turn: 'step-1/ceo', agent_id: 'ceo', offset: 0, text: 'fine' },
      {
        turn: 'step-1/ceo',
        agent_id: 'ceo',
        round: 1,
        output: 'fine',
        usage: { tokens_input: 10, tokens_output: 5, cost_usd: 0.001 },
        model: 'scripted-1',
        simulated: false,
        progress: 1,
      },
    ]);
  });
});
