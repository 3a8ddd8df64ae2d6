/** Forks and retries: a new run that goes on from where another one was. */
import { AosError } from '../core/errors.ts';
import { newUuid } from '../core/ids.ts';
import type { JsonObject } from '../core/json.ts';
import type { Gate } from '../dispatch.ts';
import type { RunEvent } from '../runs/event.ts';
import type { EventLog } from '../runs/event-log.ts';
import { type ForkPlan, failedStep, planFork } from '../runs/fork.ts';
import { keyOfRun, type Run } from '../runs/run.ts';
import type { RunStore } from '../runs/run-store.ts';
import { changesDefinition, workflowNameOf } from './run-view.ts';

export interface RunForkParts {
  readonly gate: Gate;
  readonly runs: Pick<RunStore, 'steps'>;
  readonly events: Pick<EventLog, 'of'>;
}

export interface ForkRequest {
  /** undefined: everything is done again; '': only what failed or was not done. */
  readonly from: string | undefined;
  /** Members of the request in place of what they were. */
  readonly edited: JsonObject;
  readonly id: string | undefined;
  readonly confirmed: boolean;
  readonly actor: string;
  readonly callId: string;
}

const PAGE = 500;

export interface RunForks {
  /** @throws AosError unsupported, conflict (EFFECTS_NOT_CONFIRMED with the effects), and what the gate refuses with */
  fork(run: Run, request: ForkRequest): Promise<{ readonly run: Run; readonly plan: ForkPlan }>;
  /** The step that a run which did not complete is taken up at. @throws AosError conflict, unsupported */
  retryPoint(run: Run): Promise<string>;
}

export function createRunForks({ gate, runs, events }: RunForkParts): RunForks {
  return {
    async fork(run, { from, edited, id = newUuid(), confirmed, actor, callId }) {
      checkForkable(run);
      const plan = planFork(await runs.steps(run), from, await allEvents(events, run));
      if (plan.effects.length > 0 && !confirmed) throw unconfirmed(plan);
      const definition = run.definition === null || changesDefinition(edited) ? {} : { definition: run.definition };
      const { run: forked } = await gate.submit({
        id,
        kind: run.kind,
        sessionId: run.sessionId,
        caller: run.caller,
        body: { ...run.request, ...edited },
        callId,
        actor,
        priority: run.priority,
        simulation: run.simulation,
        fork: { of: { runId: run.id, step: from ?? '' }, keepSteps: plan.keep, ...definition },
      });
      return { run: forked, plan };
    },

    async retryPoint(run) {
      checkForkable(run);
      if (run.status === 'failed' || run.status === 'cancelled' || run.status === 'timed_out') {
        return failedStep(await runs.steps(run));
      }
      throw new AosError(
        'conflict',
        `Run ${run.id} is ${run.status}: only one that failed, was cancelled or timed out can be retried`,
        {
          reason: 'RUN_NOT_RETRYABLE',
          facts: { status: run.status },
        },
      );
    },
  };
}

function checkForkable(run: Run): void {
  const refuse = (why: string) => new AosError('unsupported', why, { reason: 'RUN_NOT_FORKABLE' });
  if (run.kind === 'task') throw refuse(`Run ${run.id} is an attempt at a task: requeue the task instead`);
  if (workflowNameOf(run) === 'perpetual') {
    throw refuse(`Run ${run.id} is perpetual and forgets its steps as it goes on: start it anew instead`);
  }
}

function unconfirmed({ effects }: ForkPlan): AosError {
  const named = effects.slice(0, 10).map(({ step, tool }) => (tool === null ? step : `${step} (${tool})`));
  const more = effects.length > named.length ? ` and ${effects.length - named.length} more` : '';
  return new AosError(
    'conflict',
    `Steps that had an effect would be done again: ${named.join(', ')}${more}. Send confirm_effects: true if that is what you want`,
    { reason: 'EFFECTS_NOT_CONFIRMED', facts: { effects: [...effects] } },
  );
}

async function allEvents(events: Pick<EventLog, 'of'>, run: Run): Promise<readonly RunEvent[]> {
  const all: RunEvent[] = [];
  for (;;) {
    const page = await events.of(run.caller.tenantId).read(keyOfRun(run), all.at(-1)?.seq ?? 0, PAGE);
    all.push(...page);
    if (page.length < PAGE) return all;
  }
}
