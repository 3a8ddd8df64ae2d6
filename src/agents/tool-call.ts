/**
 * One call of a tool, from what the model wrote to what it is told. Arguments are checked, somebody is asked where that
 * is required, and the tool runs as a durable step of its own; whatever goes wrong on the way is an answer to the model
 * and ends nothing but this call.
 */
import type { Context } from '@opentelemetry/api';
import { untilAborted } from '../core/abort.ts';
import { AosError, asError } from '../core/errors.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';
import { parseJsonText } from '../core/json-text.ts';
import { checkSchema } from '../core/schema-check.ts';
import type { StepContext } from '../engine/engine.ts';
import { type Settlement, settledOutcome } from '../engine/settlement.ts';
import type { ApprovalQuestion } from '../governance/approval-desk.ts';
import type { KeyedEvent } from '../runs/event.ts';
import { withoutSecrets } from '../telemetry/scrub.ts';
import { inSpan } from '../telemetry/span.ts';
import { type Agent, titleOf } from './agent.ts';
import type { ToolAnswer, ToolCall } from './model.ts';
import { foundEvent, screenAnswer } from './model-screen.ts';
import { type Tool, unknownTool } from './tool.ts';
import { type Judged, permitTool, type ToolPermission } from './tool-permission.ts';
import { performTool } from './tool-work.ts';
import type { TurnSetting } from './turn.ts';
import { toolContent, toolSpan } from './turn-span.ts';

/** Longest result and arguments, in characters of JSON, that are told and kept. */
const MAX_CHARACTERS = 16_000;
/** Marks the end of a tool's time: what it did until then is not known. */
const TOO_LATE = 'TOOL_TOO_LATE';
/** How often a tool that only reads is tried when it says that trying again may help. */
const READ_ATTEMPTS = 2;

export interface PlannedToolCall {
  readonly turn: string;
  readonly agent: Agent;
  /** Name of its step. */
  readonly step: string;
  readonly call: ToolCall;
  /** What the agent may use. */
  readonly offered: readonly Tool[];
  /** The context for the call's span. */
  readonly beginSpan: () => Context;
  /** Why it is not run, when that is clear beforehand. */
  readonly refusal?: AosError;
  /** Answers an approver who asks back; durable. */
  readonly explain: (question: ApprovalQuestion) => Promise<string>;
}

/** A call as far as it is known before it runs. */
interface CheckedCall {
  readonly tool: Tool;
  readonly args: JsonObject;
  readonly input: unknown;
}

/** `unknown`: the call was cut off after it had begun, and nobody knows how far it came. The answer says so. */
type StoredAnswer = { answer: ToolAnswer; duration_ms: number; unknown?: true };

/** @throws the scope's reason when the run is to end; nothing else */
export async function answerToolCall(setting: TurnSetting, planned: PlannedToolCall): Promise<ToolAnswer> {
  const { call, offered, refusal } = planned;
  if (refusal !== undefined) return refuse(setting, planned, refusal);
  const asked = attempt(() => checkCall(call, offered));
  if (asked instanceof AosError) return refuse(setting, planned, asked);
  if (asked.tool.asSteps !== undefined) return runSteps(setting, planned, asked);
  const permission = await permitted(setting, planned, asked);
  if ('refusal' in permission) return refuse(setting, planned, permission.refusal, permission);
  return runTool(setting, planned, { tool: asked.tool, ...permission }, permission);
}

/** The arguments as an object, as far as they are one; for whoever counts calls. */
export function argumentsOf(call: ToolCall): JsonObject {
  const parsed = attempt(() => parseArguments(call));
  return parsed instanceof AosError ? {} : parsed;
}

function checkCall(call: ToolCall, offered: readonly Tool[]): CheckedCall {
  const tool = offered.find(({ name }) => name === call.name);
  if (tool === undefined) {
    const known = offered.map(({ name }) => name);
    throw new AosError('not_found', `you asked for the ${unknownTool(shortened(call.name), known)}`);
  }
  const args = parseArguments(call);
  return { tool, args, input: checkSchema(tool.input, args, `what ${tool.name} was given`) };
}

function parseArguments({ name, arguments: given }: ToolCall): JsonObject {
  const what = `what ${shortened(name)} was given`;
  const value = given.trim() === '' ? {} : parseJsonText(given, what);
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw new AosError('invalid_request', `${what} must be a JSON object, got ${shortened(given)}`);
}

/** What the governor says to it, and whoever has to agree. */
function permitted(
  { governor, scope }: TurnSetting,
  { step: name, agent, explain: onQuestion }: PlannedToolCall,
  { tool, args, input }: CheckedCall,
): Promise<ToolPermission> {
  const asksApproval = tool.requiresApproval?.(input) === true;
  const title = `${titleOf(agent)} wants to use ${tool.name}`;
  return permitTool(governor, scope, {
    name,
    agentId: agent.agent_id,
    tool,
    args,
    input,
    asksApproval,
    title,
    onQuestion,
  });
}

/** Runs the tool, again only when somebody says that it had not done it. */
async function runTool(
  setting: TurnSetting,
  planned: PlannedToolCall,
  checked: CheckedCall,
  judged: Judged,
): Promise<ToolAnswer> {
  for (let round = 1; ; round++) {
    const call = round === 1 ? planned : { ...planned, step: `${planned.step}/again-${round}` };
    const stored = await runOnce(setting, call, checked, round === 1 ? judged : undefined);
    if (stored.unknown !== true) return stored.answer;
    const settlement = await settledOutcome(setting.scope, setting.clock, call.step, {
      tool: checked.tool.name,
      agent_id: call.agent.agent_id,
      ...('error' in stored.answer && { message: stored.answer.error.message }),
    });
    if (settlement?.outcome === 'not_done') continue;
    const answer = settlement === undefined ? stored.answer : settledAnswer(checked.tool, settlement);
    return endCall(setting, call, answer, settlement);
  }
}

async function runOnce(
  setting: TurnSetting,
  planned: PlannedToolCall,
  checked: CheckedCall,
  judged?: Judged,
): Promise<StoredAnswer> {
  const { scope, clock, captureContent, model } = setting;
  const { turn, agent, step, call, beginSpan } = planned;
  const { tool, args, input } = checked;
  const effect = tool.effectOf?.(input) ?? tool.effect;
  const subject = { run: scope.run, turn, agent, model };
  return scope.step<StoredAnswer>(
    step,
    async (context) => {
      if (effect === 'external' && (await hasBegun(setting, planned, context))) {
        return { answer: { error: { code: 'unknown_outcome', message: cutOff(tool) } }, duration_ms: 0, unknown: true };
      }
      const called = calledEvent(planned, args, effect);
      await scope.emit(called.key, called);
      const begun = clock.monotonic();
      let isLate = false;
      const answer = await inSpan(toolSpan(subject, tool, call), beginSpan(), async (span) => {
        if (captureContent) span.setAttributes(toolContent(args, undefined));
        const given = await screened(setting, planned, await withinTime(setting, tool, input, context));
        if (captureContent) span.setAttributes(toolContent(args, given));
        return given;
      }).catch((thrown: unknown) => {
        if (context.signal.aborted) throw context.signal.reason;
        const mayHelp = thrown instanceof AosError && thrown.retry === 'later' && effect === 'read';
        if (mayHelp && context.attempt < READ_ATTEMPTS) throw thrown;
        isLate = thrown instanceof AosError && thrown.reason === TOO_LATE;
        return screened(setting, planned, failureOf(setting, tool, thrown));
      });
      const ended = { answer, duration_ms: Math.round(clock.monotonic() - begun) };
      return isLate && effect === 'external' ? { ...ended, unknown: true } : ended;
    },
    {
      effect,
      event: (value) => [...told(judged), ...(value.unknown === true ? [] : [endedEvent(planned, value)])],
      ...judged?.settling,
    },
  );
}

/** A tool whose work is steps of the run: between them the log is told that it began and how it ended. */
async function runSteps(
  setting: TurnSetting,
  planned: PlannedToolCall,
  { tool, args, input }: CheckedCall,
): Promise<ToolAnswer> {
  const { scope, traceContext } = setting;
  const { step: name, agent } = planned;
  const called = calledEvent(planned, args, tool.effectOf?.(input) ?? tool.effect);
  await scope.emit(called.key, called);
  const given = await tool.asSteps?.(input, { scope, name, agentId: agent.agent_id, traceContext }).then(
    (result): ToolAnswer => ({ result: bounded(result) }),
    (thrown: unknown) => {
      if (scope.signal.aborted) throw scope.signal.reason;
      return failureOf(setting, tool, thrown);
    },
  );
  return endCall(setting, planned, await screened(setting, planned, given ?? { result: null }));
}

/** Stores what the model is told of a call that was not one step. */
async function endCall(
  { scope }: TurnSetting,
  planned: PlannedToolCall,
  answer: ToolAnswer,
  settlement?: Settlement,
): Promise<ToolAnswer> {
  const by = settlement === undefined ? {} : { settled_by: settlement.by };
  const stored = await scope.step<StoredAnswer>(`${planned.step}/end`, async () => ({ answer, duration_ms: 0 }), {
    event: (value) => endedEvent(planned, value, by),
  });
  return stored.answer;
}

/** What the tool gave, as it may be kept, told and shown to the model. */
async function screened(
  { scope, egress }: TurnSetting,
  planned: PlannedToolCall,
  given: ToolAnswer,
): Promise<ToolAnswer> {
  if (egress === undefined) return given;
  const { answer, found } = screenAnswer(given, await egress(scope.run.caller.tenantId));
  if (found === undefined) return answer;
  const event = foundEvent(`${planned.step}/result`, found, planned.agent.agent_id);
  await scope.emit(event.key, event);
  return answer;
}

/** Whether an execution before this one began the call: it was interrupted, and nobody knows how far it came. */
async function hasBegun({ scope }: TurnSetting, { step }: PlannedToolCall, { attempt }: StepContext): Promise<boolean> {
  if (attempt > 1) return false;
  const history = await scope.history({ turn: step });
  return history.some(({ type }) => type === 'tool.called');
}

/** What the model is told of a call that was cut off, from what somebody said about it. */
function settledAnswer({ name }: Tool, { outcome, note, result }: Settlement): ToolAnswer {
  const why = note === undefined ? '' : `: ${note}`;
  if (outcome === 'completed') return { result: bounded(result ?? `${name} had done it${why}`) };
  return { error: { code: 'failed', message: `${name} had not done it, and it is not done again${why}` } };
}

function cutOff({ name }: Tool): string {
  return `${name} was under way when its process ended; whether it had its effect is not known, so do not just repeat it`;
}

/** Runs the tool until its time is up, also one that does not look at its signal. */
async function withinTime(
  { scope, clock }: TurnSetting,
  tool: Tool,
  input: unknown,
  { signal, idempotencyKey }: StepContext,
): Promise<ToolAnswer> {
  const late = new AbortController();
  const timer = clock.after(tool.timeoutMs, () => late.abort(tooLate(tool)));
  const either = AbortSignal.any([signal, late.signal]);
  const { caller, sessionId, simulation } = scope.run;
  try {
    const work = performTool(tool, input, { signal: either, idempotencyKey, clock, caller, sessionId, simulation });
    return { result: bounded(await untilAborted(work, either)) };
  } finally {
    timer.cancel();
  }
}

function tooLate({ name, timeoutMs, effect }: Tool): AosError {
  const unknown = effect === 'read' ? '' : '; whether it had its effect is not known, so do not just repeat it';
  return new AosError('timed_out', `${name} did not end within ${timeoutMs / 1000} s${unknown}`, { reason: TOO_LATE });
}

/** What the model may be told about anything thrown: an AosError as it is, everything else only to the log. */
function failureOf({ scope, log }: TurnSetting, tool: Tool, thrown: unknown): ToolAnswer {
  if (thrown instanceof AosError) return { error: toldError(thrown) };
  const { id, caller } = scope.run;
  const where = { tenant_id: caller.tenantId, run_id: id, tool: tool.name };
  log?.error('a tool met an unexpected error', { ...where, error: asError(thrown) });
  return { error: { code: 'internal_error', message: `${tool.name} failed; the log has the details` } };
}

function toldError({ code, message, details }: AosError): { code: string; message: string } {
  return { code, message: [message, ...details.map((detail) => detail.message)].join('; ') };
}

/** Answers a call that is not run; told in the log like one that failed. */
async function refuse(
  { scope }: TurnSetting,
  planned: PlannedToolCall,
  refusal: AosError,
  judged?: Judged,
): Promise<ToolAnswer> {
  const error = toldError(refusal);
  const stored = await scope.step<StoredAnswer>(planned.step, async () => ({ answer: { error }, duration_ms: 0 }), {
    event: (value) => [
      ...told(judged),
      calledEvent(planned, argumentsOf(planned.call), 'read'),
      endedEvent(planned, value),
    ],
    ...judged?.settling,
  });
  return stored.answer;
}

function calledEvent(planned: PlannedToolCall, args: JsonObject, effect: Tool['effect']) {
  return {
    key: `${planned.step}:called`,
    type: 'tool.called',
    data: { ...about(planned), effect, arguments: bounded(withoutSecrets(args)) },
  } as const;
}

function endedEvent(
  planned: PlannedToolCall,
  { answer, duration_ms }: StoredAnswer,
  by: { readonly settled_by?: string } = {},
): KeyedEvent {
  const key = `${planned.step}:ended`;
  return 'error' in answer
    ? { key, type: 'tool.failed', data: { ...about(planned), error: answer.error, duration_ms, ...by } }
    : { key, type: 'tool.completed', data: { ...about(planned), result: answer.result, duration_ms, ...by } };
}

function told(judged: Judged | undefined): readonly KeyedEvent[] {
  return judged?.event === undefined ? [] : [judged.event];
}

function about({ turn, agent, step, call }: PlannedToolCall) {
  return { turn, agent_id: agent.agent_id, step, tool_call_id: call.id, tool: shortened(call.name) };
}

/** The value, or the beginning of its text when that is long. */
function bounded(value: JsonValue): JsonValue {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'null');
  if (text.length <= MAX_CHARACTERS) return value ?? null;
  return `${text.slice(0, MAX_CHARACTERS)}… (${text.length - MAX_CHARACTERS} more characters left out)`;
}

function attempt<T>(work: () => T): T | AosError {
  try {
    return work();
  } catch (thrown) {
    if (thrown instanceof AosError) return thrown;
    throw thrown;
  }
}

function shortened(text: string): string {
  return text.length > 100 ? `${text.slice(0, 99)}…` : text;
}
