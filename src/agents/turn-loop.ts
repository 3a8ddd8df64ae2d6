/**
 * The loop of one turn: model, tools, model again, until there is an answer. Everything between the steps depends on
 * what the steps gave, so a resumed run takes the same way up to where it was.
 */
import type { Context } from '@opentelemetry/api';
import { isoTime } from '../core/clock.ts';
import { AosError } from '../core/errors.ts';
import type { StepOptions } from '../engine/engine.ts';
import { type Found, withheld } from '../governance/screening/egress.ts';
import type { KeyedEvent, TurnUsage } from '../runs/event.ts';
import { type Agent, titleOf } from './agent.ts';
import { type Brief, dayOf } from './brief.ts';
import { unmetered } from './meter.ts';
import type { ModelRequest, ToolCall, ToolExchange } from './model.ts';
import { maxOutputTokensOf, mostOf, usedBy } from './model-bound.ts';
import { callModel, type ModelAnswer, type Said } from './model-call.ts';
import { foundEvent } from './model-screen.ts';
import { sumOfUsages } from './price.ts';
import { promptOf } from './prompt.ts';
import { describeTool } from './tool.ts';
import { answerToolCall, argumentsOf, type PlannedToolCall } from './tool-call.ts';
import { createTranscript, type RecordedText, recordedText } from './transcript.ts';
import type { Turn, TurnOutcome, TurnSetting } from './turn.ts';
import { openAgentSpan, usageAttributes } from './turn-span.ts';

/** What a budget makes of a call of the model. */
interface CallBound {
  readonly request?: Pick<ModelRequest, 'maxOutputTokens'>;
  readonly options?: Pick<StepOptions<ModelAnswer>, 'settle'>;
}

/** How many tools may be called in a turn, when the agent's `config.max_tool_calls` does not say. */
const MAX_TOOL_CALLS = 16;
/** How often a model that is told to stop asking for tools may ask all the same. */
const MAX_DEAF_ANSWERS = 2;

/**
 * @param brief called inside a step, for briefs that take reading; must give the same whenever it is called
 * @throws AosError `model_failed` when the model failed for good; the scope's reason when the run is to end
 */
export async function runTurn(
  setting: TurnSetting,
  turn: Turn,
  brief: () => Brief | Promise<Brief>,
): Promise<TurnOutcome> {
  const { scope, model, traceContext, progress } = setting;
  const span = openAgentSpan({ run: scope.run, turn: turn.name, agent: turn.agent, model }, traceContext);
  try {
    const outcome = await createTurnLoop(setting, turn, brief, span.begin).run();
    // Also a turn that was only read back, whose end an earlier execution wrote.
    progress.count(turn.name);
    span.complete(usageAttributes(outcome.usage));
    return outcome;
  } catch (thrown) {
    span.fail(thrown);
    throw thrown;
  }
}

/** @param beginSpan gives the context for spans; called inside steps only, so that what is read back has no span */
function createTurnLoop(
  setting: TurnSetting,
  turn: Turn,
  brief: () => Brief | Promise<Brief>,
  beginSpan: () => Context,
) {
  const { scope, model, clock, progress, captureContent, meter = unmetered } = setting;
  const { name, agent, round } = turn;
  const { simulated } = model;
  const about = { turn: name, agent_id: agent.agent_id };
  const subject = { run: scope.run, turn: name, agent, model };
  const tools = setting.tools?.forAgent(agent) ?? [];
  const maxToolCalls = maxToolCallsOf(agent);
  const exchanges: ToolExchange[] = [];
  const usages: TurnUsage[] = [];
  let toolCalls = 0;
  /** ISO-8601 UTC. */
  let startedAt: string | undefined;
  /** What the log holds of the turn's text; read once in an execution, and kept up by those who write. */
  let recorded: RecordedText | undefined;

  async function run(): Promise<TurnOutcome> {
    for (let deafAnswers = 0; deafAnswers < MAX_DEAF_ANSWERS; ) {
      await meter.check();
      const answer = await askModel(exchanges.length === 0 ? name : `${name}/call-${exchanges.length + 1}`);
      startedAt ??= answer.started_at;
      usages.push(answer.usage);
      await meter.spend(name, answer.usage);
      if (answer.calls.length === 0) return outcomeOf(answer, usages);
      if (toolCalls >= maxToolCalls) deafAnswers += 1;
      await answerTools(answer);
    }
    throw new AosError('model_failed', `the model ${model.name} kept asking for tools after ${toolCalls} calls`, {
      retry: 'never',
    });
  }

  /** One call of the model, as a step; the last one of the turn stores the turn's end with it. */
  async function askModel(step: string): Promise<ModelAnswer> {
    const bound = await boundOf(step, async () => requestOf(await brief()));
    const stored = Promise.withResolvers<void>();
    let share = 1;
    try {
      return await scope.step<ModelAnswer>(
        step,
        async ({ signal }) => {
          const traceContext = beginSpan();
          const words = await brief();
          const started = await begin();
          const said = await speak(step, { ...requestOf(words), ...bound.request }, traceContext, signal);
          if (said.calls.length === 0) share = await shareAfter(stored.promise);
          return { ...said, started_at: started, completed_at: isoTime(clock.now()) };
        },
        { event: (answer) => (answer.calls.length === 0 ? completedEvent(answer, share) : []), ...bound.options },
      );
    } finally {
      stored.resolve();
    }
  }

  function requestOf(words: Brief): ModelRequest {
    const prompt = promptOf(words);
    const toolsClosed = toolCalls >= maxToolCalls;
    return { brief: words, prompt, tools: tools.map(describeTool), toolsClosed, exchanges };
  }

  /** Where a budget counts the call: sets aside what it may use at most, and has it use no more. May wait for days. */
  async function boundOf(step: string, asked: () => Promise<ModelRequest>): Promise<CallBound> {
    const { budgets } = setting;
    const agentId = agent.agent_id;
    if (budgets === undefined || scope.isSettled(step) || !budgets.concern(scope.run, 'model', agentId)) return {};
    const maxOutputTokens = maxOutputTokensOf(agent);
    const amounts = mostOf(await scope.aside(asked), model, maxOutputTokens);
    await budgets.reserve(scope, { step, kind: 'model', agentId, what: `The model ${model.name}`, amounts });
    return { request: { maxOutputTokens }, options: { settle: { used: ({ usage }) => usedBy(usage) } } };
  }

  /** Finds out what the log knows of the turn and tells it that the turn begins. @returns when it began */
  async function begin(): Promise<string> {
    if (recorded === undefined) {
      const history = await scope.history({ turn: name });
      recorded = recordedText(history, name);
      startedAt ??= history.find((event) => event.type === 'turn.started' && event.data.turn === name)?.at;
    }
    startedAt ??= isoTime(clock.now());
    if (exchanges.length > 0) return startedAt;
    await scope.emit(`${name}:started`, {
      type: 'turn.started',
      data: {
        ...about,
        round,
        model: model.name,
        simulated,
        ...(turn.peers === undefined ? {} : { peers: [...turn.peers] }),
      },
    });
    return startedAt;
  }

  /** The call itself, streaming into the log. */
  async function speak(step: string, request: ModelRequest, traceContext: Context, signal: AbortSignal) {
    const egress = await setting.egress?.(scope.run.caller.tenantId);
    const transcript = createTranscript({
      turn: name,
      agentId: agent.agent_id,
      recorded: recorded ?? { text: '', series: 0 },
      emit: (key, event) => scope.emit(key, event),
      clock,
    });
    try {
      const called = { traceContext, captureContent, egress };
      const { found, ...said } = await callModel(called, subject, request, transcript.write, signal);
      await transcript.end();
      await tellFound(step, found, said);
      return said;
    } finally {
      await transcript.abandon();
      recorded = transcript.recorded();
    }
  }

  /**
   * Tells what of personal data was in what the model said.
   * @throws AosError unprocessable `PII_BLOCKED` when the tenant lets such an answer not be used; arguments of tools that
   * are blocked are refused one by one
   */
  async function tellFound(step: string, found: Found | undefined, { calls }: Pick<Said, 'calls'>): Promise<void> {
    if (found === undefined) return;
    const event = foundEvent(step, found, agent.agent_id);
    await scope.emit(event.key, event);
    if (found.taken === 'blocked' && calls.length === 0) throw withheld(`The answer of ${titleOf(agent)}`, found);
  }

  /** The share of the run that is done with this turn. Turns that end together are stored one after the other. */
  function shareAfter(stored: Promise<void>): Promise<number> {
    return new Promise((resolve) => {
      progress.finish(name, (share) => {
        resolve(share);
        return stored;
      });
    });
  }

  function completedEvent(answer: ModelAnswer, share: number): KeyedEvent {
    const { output, usage, tool_calls, started_at, completed_at } = outcomeOf(answer, [...usages, answer.usage]);
    const duration = Math.max(0, Date.parse(completed_at) - Date.parse(started_at));
    const made = { output, usage, model: model.name, simulated, tool_calls, duration_ms: duration };
    return { key: `${name}:completed`, type: 'turn.completed', data: { ...about, round, ...made, progress: share } };
  }

  function outcomeOf(answer: ModelAnswer, spent: readonly TurnUsage[]): TurnOutcome {
    return {
      output: answer.text,
      usage: sumOfUsages(spent),
      model: model.name,
      simulated,
      tool_calls: toolCalls,
      started_at: startedAt ?? answer.started_at,
      completed_at: answer.completed_at,
    };
  }

  /** Does what one answer of the model asks for, everything at the same time. */
  async function answerTools({ text, calls }: ModelAnswer): Promise<void> {
    const planned = calls.map((call) => {
      toolCalls += 1;
      return plannedCall(call, toolCalls);
    });
    // One after the other, so that whoever counts sees the same order in every execution.
    for (const { call, refusal } of planned) {
      if (refusal === undefined) await meter.toolCall(call.name, argumentsOf(call));
    }
    const settled = await Promise.allSettled(
      planned.map(async (one) => ({ ...one.call, answer: await answerToolCall(setting, one) })),
    );
    const answered = settled.map((result) => {
      if (result.status === 'rejected') throw result.reason;
      return result.value;
    });
    exchanges.push({ text, calls: answered });
  }

  function plannedCall(call: ToolCall, number: number): PlannedToolCall {
    // What a model writes as a name can be anything; a step's name is plain.
    const step = `${name}/tool-${number}/${call.name.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, 64)}`;
    return {
      turn: name,
      agent,
      step,
      call,
      offered: tools,
      beginSpan,
      explain: (question) => explain(`${step}/question-${question.number}`, call, question.text),
      ...(number > maxToolCalls ? { refusal: tooManyCalls(maxToolCalls) } : refusalOfBlocked(call)),
    };
  }

  /** Answers somebody who is to approve a tool call and asks back. */
  async function explain(step: string, call: ToolCall, question: string): Promise<string> {
    const requestOfQuestion = async (): Promise<ModelRequest> => {
      const words = await brief();
      const { instructions, messages } = promptOf(words);
      const asked = {
        role: 'user',
        content: `As ${titleOf(agent)} you want to use the tool ${call.name} with ${call.arguments}. Somebody has to approve that first and asks: ${question}\nAnswer that question, in a few sentences.`,
      } as const;
      const conversation = [...messages, asked];
      return {
        brief: { kind: 'chat', agent, messages: conversation, today: dayOf(words) },
        prompt: { instructions, messages: conversation },
      };
    };
    const bound = await boundOf(step, requestOfQuestion);
    const { text, usage } = await scope.step<ModelAnswer>(
      step,
      async ({ signal }) => {
        const request = { ...(await requestOfQuestion()), ...bound.request };
        const began = isoTime(clock.now());
        const egress = await setting.egress?.(scope.run.caller.tenantId);
        const called = { traceContext: beginSpan(), captureContent, egress };
        const { found, ...said } = await callModel(called, subject, request, () => {}, signal);
        await tellFound(step, found, said);
        return { ...said, started_at: began, completed_at: isoTime(clock.now()) };
      },
      { ...bound.options },
    );
    usages.push(usage);
    await meter.spend(name, usage);
    return text;
  }

  return { run };
}

function refusalOfBlocked({ name, blocked }: ToolCall): { refusal?: AosError } {
  if (blocked === undefined) return {};
  const message = `what ${name} was given is withheld: it holds personal data (${blocked.join(', ')}), and the policy of the tenant is BLOCK`;
  return { refusal: new AosError('unprocessable', message, { reason: 'PII_BLOCKED' }) };
}

function maxToolCallsOf(agent: Agent): number {
  const given = agent.config['max_tool_calls'];
  return typeof given === 'number' && Number.isInteger(given) && given >= 0 ? given : MAX_TOOL_CALLS;
}

function tooManyCalls(max: number): AosError {
  return new AosError('unsupported', `the limit of ${max} tool calls in a turn is reached: answer with what you have`);
}
