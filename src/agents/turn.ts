/**
 * A turn: one agent answers one brief by one model call, as one durable step of the run. Everything it tells goes to
 * the run's log under keys of its own, so that a step that runs twice says everything once.
 */
import type { Context } from '@opentelemetry/api';
import { type Clock, isoTime } from '../core/clock.ts';
import type { RunScope } from '../engine/engine.ts';
import type { ApprovalDesk } from '../governance/approval-desk.ts';
import type { RunEvent, TurnUsage } from '../runs/event.ts';
import { inSpan } from '../telemetry/span.ts';
import type { Agent } from './agent.ts';
import { type Brief, promptOf } from './brief.ts';
import type { Meter } from './meter.ts';
import type { Model, ModelPart } from './model.ts';
import type { Progress } from './progress.ts';
import type { ToolSet } from './tool.ts';
import { createTranscript, recordedText, type Transcript } from './transcript.ts';
import { agentSpan, chatSpan, endAttributes, inputAttributes, outputAttributes, usageAttributes } from './turn-span.ts';

export interface Turn {
  /** Stable within the run: step name and prefix of its event keys, e.g. `round-1/ceo`. */
  readonly name: string;
  readonly agent: Agent;
  readonly round: number;
  /** The agents whose words are part of the brief. */
  readonly peers?: readonly string[];
}

/** What the turns of one execution of a run share. */
export interface TurnSetting {
  readonly scope: RunScope;
  readonly model: Model;
  readonly clock: Clock;
  readonly progress: Progress;
  /** The trace context the turn's spans begin in. */
  readonly traceContext: Context;
  /** Whether spans may hold what people and models wrote. */
  readonly captureContent: boolean;
  /** What agents may use; nothing when left out. */
  readonly tools?: ToolSet;
  /** Counts and holds back; nothing does when left out. */
  readonly meter?: Meter;
  /** Who is asked before a tool that requires it; such a tool is refused when left out. */
  readonly approvals?: ApprovalDesk;
}

/** Stored as the step's result: what a resumed run knows of a turn that is over. */
export type TurnOutcome = {
  output: string;
  usage: TurnUsage;
  model: string;
  simulated: boolean;
  started_at: string;
  completed_at: string;
};

/**
 * Starts the turn's step before it returns, as the engine wants of parallel steps.
 * @param brief called inside the step, for briefs that take reading
 * @throws AosError `model_failed` when the model failed for good; the scope's reason when the run is to end
 */
export function runTurn(setting: TurnSetting, turn: Turn, brief: () => Brief | Promise<Brief>): Promise<TurnOutcome> {
  const { scope, progress } = setting;
  return scope.step(turn.name, async ({ signal }) => {
    const history = await scope.history();
    progress.note(history);
    const recorded = recordedOutcome(history, turn.name);
    if (recorded !== undefined) return recorded;
    const words = await brief();
    return inSpan(agentSpan(subjectOf(setting, turn)), setting.traceContext, (span, within) =>
      takeTurn({ ...setting, traceContext: within }, turn, words, history, signal).then((outcome) => {
        span.setAttributes(usageAttributes(outcome.usage));
        return outcome;
      }),
    );
  });
}

/** What the log already says about the turn: it was over, only its step had not been stored yet. */
function recordedOutcome(history: readonly RunEvent[], turn: string): TurnOutcome | undefined {
  const completed = history.find((event) => event.type === 'turn.completed' && event.data.turn === turn);
  if (completed?.type !== 'turn.completed') return undefined;
  const { output, usage, model, simulated } = completed.data;
  const started = startOf(history, turn) ?? completed.at;
  return { output, usage, model, simulated, started_at: started, completed_at: completed.at };
}

function startOf(history: readonly RunEvent[], turn: string): string | undefined {
  return history.find((event) => event.type === 'turn.started' && event.data.turn === turn)?.at;
}

async function takeTurn(
  setting: TurnSetting,
  turn: Turn,
  brief: Brief,
  history: readonly RunEvent[],
  signal: AbortSignal,
): Promise<TurnOutcome> {
  const { scope, model, clock, progress } = setting;
  const about = { turn: turn.name, agent_id: turn.agent.agent_id };
  const { simulated } = model;
  const startedAt = startOf(history, turn.name) ?? isoTime(clock.now());
  const begun = clock.monotonic();
  await scope.emit(`${turn.name}:started`, {
    type: 'turn.started',
    data: {
      ...about,
      round: turn.round,
      model: model.name,
      simulated,
      ...(turn.peers === undefined ? {} : { peers: [...turn.peers] }),
    },
  });
  const transcript = createTranscript({
    turn: turn.name,
    agentId: turn.agent.agent_id,
    recorded: recordedText(history, turn.name),
    emit: (key, event) => scope.emit(key, event),
    clock,
  });
  const { output, usage } = await callModel(setting, turn, brief, transcript, signal);
  const outcome: TurnOutcome = {
    output,
    usage,
    model: model.name,
    simulated,
    started_at: startedAt,
    completed_at: isoTime(clock.now()),
  };
  const duration = Math.round(clock.monotonic() - begun);
  await progress.finish(turn.name, (share) =>
    scope.emit(`${turn.name}:completed`, {
      type: 'turn.completed',
      data: {
        ...about,
        round: turn.round,
        output,
        usage,
        model: model.name,
        simulated,
        duration_ms: duration,
        progress: share,
      },
    }),
  );
  return outcome;
}

/** The call itself, under its span, streaming into the transcript. */
function callModel(
  setting: TurnSetting,
  turn: Turn,
  brief: Brief,
  transcript: Transcript,
  signal: AbortSignal,
): Promise<{ output: string; usage: TurnUsage }> {
  const { model, captureContent } = setting;
  const prompt = promptOf(brief);
  return inSpan(chatSpan(subjectOf(setting, turn)), setting.traceContext, async (span) => {
    if (captureContent) span.setAttributes(inputAttributes(prompt));
    try {
      let end: Extract<ModelPart, { type: 'end' }> | undefined;
      for await (const part of model.stream({ brief, prompt }, signal)) {
        if (part.type === 'text') transcript.write(part.text);
        else end = part;
      }
      // A model says `end` or throws; the port's contract, checked here once for all models.
      if (end === undefined) throw new Error(`the model ${model.name} ended a stream without its end part`);
      span.setAttributes(endAttributes(end));
      const output = await transcript.end();
      if (captureContent) span.setAttributes(outputAttributes(output, end.finishReason));
      return { output, usage: end.usage };
    } catch (thrown) {
      await transcript.abandon();
      throw thrown;
    }
  });
}

function subjectOf({ scope, model }: TurnSetting, { name, agent }: Turn) {
  return { run: scope.run, turn: name, agent, model };
}
