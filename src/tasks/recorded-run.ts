/**
 * What a run has recorded, as an evaluation looks at it.
 */
import { isJsonObject, type JsonObject, type JsonValue } from '../core/json.ts';
import type { TurnUsage } from '../runs/event.ts';
import type { EventLog } from '../runs/event-log.ts';
import { type Caller, isTerminal, keyOfRun, type Run } from '../runs/run.ts';
import type { RunStore } from '../runs/run-store.ts';
import { type EvaluationParts, type Observation, toolsOf } from './handler-evaluation.ts';
import { judge } from './judgement.ts';

export interface RecordedRunParts {
  readonly runs: Pick<RunStore, 'findInTenant'>;
  readonly events: Pick<EventLog, 'of'>;
}

const PAGE = 500;

/** Evaluations over the runs there are. */
export function createEvaluation({ runs, events }: RecordedRunParts): EvaluationParts {
  return {
    judge,
    async recorded(runId, caller: Caller) {
      const run = await runs.findInTenant(runId, caller);
      return run === undefined || !isTerminal(run.status) ? undefined : observationOf(run, await toolsCalled(run));
    },
  };

  async function toolsCalled(run: Run): Promise<string[]> {
    const tools: string[] = [];
    for (let after = 0; ; ) {
      const page = await events.of(run.caller.tenantId).read(keyOfRun(run), after, PAGE);
      tools.push(...toolsOf(page));
      const last = page.at(-1);
      if (last === undefined || page.length < PAGE) return tools;
      after = last.seq;
    }
  }
}

function observationOf(run: Run, tools: string[]): Observation {
  const result: JsonObject = run.result ?? {};
  const started = Date.parse(run.startedAt ?? run.createdAt);
  return {
    status: run.status === 'completed' ? 'completed' : 'failed',
    output: result['summary'] ?? result['message'] ?? result['output'] ?? run.result,
    tools,
    usage: usageOf(isJsonObject(result['usage']) ? result['usage'] : result),
    duration_ms: Date.parse(run.completedAt ?? run.createdAt) - started,
    error: run.error,
  };
}

/** What a result says it used: orchestrations and chats beside the rest, attempts at tasks among it. */
function usageOf({ tokens_input, tokens_output, cost_usd }: JsonObject): TurnUsage {
  const count = (value: JsonValue | undefined) => (typeof value === 'number' ? value : 0);
  return {
    tokens_input: count(tokens_input),
    tokens_output: count(tokens_output),
    cost_usd: cost_usd === null ? null : count(cost_usd),
  };
}
