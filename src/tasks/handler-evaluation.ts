/**
 * `evaluation`: cases with assertions. Each case of `payload.cases` is put to the agent, or, with `payload.run_id`,
 * held against what a run of the caller's has recorded. The judging itself is a function of what was observed.
 */

import { AosError, type ErrorCode } from '../core/errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../core/json.ts';
import type { RunEvent, TurnUsage } from '../runs/event.ts';
import type { Caller } from '../runs/run.ts';
import { type AgentParts, agentOf, answer } from './handler-agent-run.ts';
import type { TaskHandler, TaskSetting } from './task-handler.ts';

/** What came of a case. */
export type Observation = {
  status: 'completed' | 'failed';
  output: JsonValue;
  /** Names of the tools that were called, in order. */
  tools: string[];
  usage: TurnUsage;
  duration_ms: number;
  error: { code: ErrorCode; message: string } | null;
};

export interface EvaluationParts {
  /** Judges an observation by the assertions of a case. @returns one sentence for everything that does not hold */
  judge(assertions: JsonObject, observation: Observation): readonly string[];
  /** What a run of the caller's has recorded; undefined when there is none of that id. */
  recorded(runId: string, caller: Caller): Promise<Observation | undefined>;
}

const MAX_CASES = 100;

export function createEvaluationHandler(agents: AgentParts, parts: EvaluationParts): TaskHandler {
  return async ({ agentId, payload }, setting) => {
    const cases = casesOf(payload);
    const { run_id: runId } = payload;
    const observe =
      typeof runId === 'string'
        ? await observeRun(parts, setting, runId)
        : (assertions: JsonObject, turn: string) =>
            observeAgent(agents, setting, { agentId: agentId ?? '', assertions, turn, payload });
    const results: JsonObject[] = [];
    for (const [index, assertions] of cases.entries()) {
      const observation = await observe(assertions, `case-${index + 1}`);
      const failures = parts.judge(assertions, observation);
      results.push({
        case: index + 1,
        ...(typeof assertions['name'] === 'string' && { name: assertions['name'] }),
        input: assertions['input'] ?? null,
        passed: failures.length === 0,
        failures: [...failures],
        ...observation,
      });
    }
    const passed = results.filter((result) => result['passed'] === true).length;
    return {
      agent_id: agentId ?? null,
      ...(typeof runId === 'string' && { run_id: runId }),
      total_cases: cases.length,
      passed,
      failed: cases.length - passed,
      pass_rate: Math.round((passed / cases.length) * 10_000) / 10_000,
      results,
    };
  };
}

/** @throws AosError unprocessable */
function casesOf({ cases, run_id: runId }: JsonObject): readonly JsonObject[] {
  const list = Array.isArray(cases) ? cases.filter(isJsonObject) : [];
  const invalid = (message: string) => new AosError('unprocessable', message, { reason: 'INVALID_TASK' });
  if (!Array.isArray(cases) || list.length === 0 || list.length !== cases.length) {
    throw invalid('payload.cases must be a list of at least one object');
  }
  if (list.length > MAX_CASES) throw invalid(`payload.cases may have ${MAX_CASES} cases at most, got ${list.length}`);
  const silent = typeof runId === 'string' ? -1 : list.findIndex((one) => !hasInput(one['input']));
  if (silent >= 0) throw invalid(`payload.cases[${silent}].input must be a text or an object`);
  return list;
}

function hasInput(value: JsonValue | undefined): boolean {
  return (typeof value === 'string' && value !== '') || isJsonObject(value);
}

async function observeRun(parts: EvaluationParts, { scope }: TaskSetting, runId: string) {
  const observation = await scope.step('recorded', async () => {
    const found = await parts.recorded(runId, scope.run.caller);
    if (found !== undefined) return found;
    throw new AosError('not_found', `There is no run "${runId}" that could be evaluated.`, { reason: 'RUN_NOT_FOUND' });
  });
  return async () => observation;
}

interface AgentCase {
  readonly agentId: string;
  readonly assertions: JsonObject;
  readonly turn: string;
  readonly payload: JsonObject;
}

/** An agent that fails a case fails the case, not the evaluation. */
async function observeAgent(agents: AgentParts, setting: TaskSetting, asked: AgentCase): Promise<Observation> {
  const { scope } = setting;
  const { agentId, assertions, turn, payload } = asked;
  const agent = agentOf(agents.catalogue.of(scope.run.caller.tenantId), agentId);
  try {
    const question = { turn, agent, input: assertions['input'] ?? '', context: assertions['context'], payload };
    const outcome = await answer(agents, setting, question);
    return {
      status: 'completed',
      output: outcome.output,
      tools: toolsOf(await scope.history(), turn),
      usage: outcome.usage,
      duration_ms: Date.parse(outcome.completed_at) - Date.parse(outcome.started_at),
      error: null,
    };
  } catch (thrown) {
    scope.signal.throwIfAborted();
    if (!(thrown instanceof AosError) || thrown.code !== 'model_failed') throw thrown;
    return {
      status: 'failed',
      output: null,
      tools: toolsOf(await scope.history(), turn),
      usage: { tokens_input: 0, tokens_output: 0, cost_usd: 0 },
      duration_ms: 0,
      error: { code: thrown.code, message: thrown.message },
    };
  }
}

/** The tools that a turn called, in order. */
export function toolsOf(events: readonly RunEvent[], turn?: string): string[] {
  return events.flatMap((event) =>
    event.type === 'tool.called' && (turn === undefined || event.data.turn === turn) ? [event.data.tool] : [],
  );
}
