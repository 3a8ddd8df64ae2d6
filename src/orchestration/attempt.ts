/**
 * A turn whose failure is an outcome: the orchestration decides what it means for the run. Only the model's failure is
 * one; the end of the run and faults of our own go on as what they are.
 */
import type { Brief } from '../agents/brief.ts';
import type { TurnOutcome, TurnSetting } from '../agents/turn.ts';
import { runTurn } from '../agents/turn-loop.ts';
import { AosError } from '../core/errors.ts';
import type { RunFailure } from '../runs/run.ts';
import type { PlannedTurn } from './plan.ts';
import type { RunMeter } from './run-meter.ts';

export type Attempt =
  | { readonly status: 'completed'; readonly turn: PlannedTurn; readonly outcome: TurnOutcome }
  | { readonly status: 'failed'; readonly turn: PlannedTurn; readonly error: RunFailure };

/** What every attempt needs: the setting of its turn, and the meter of the run. */
export type AttemptSetting = TurnSetting & { readonly meter: RunMeter };

/**
 * Takes the turn as soon as the limits of the run let it. Resolves also when the model failed, after the log says so.
 * @throws AosError limit_exceeded when the run was stopped at a limit
 */
export async function attemptTurn(
  setting: AttemptSetting,
  turn: PlannedTurn,
  peers: readonly string[],
  brief: () => Brief | Promise<Brief>,
): Promise<Attempt> {
  const { scope, progress, meter } = setting;
  await meter.begin(turn.name);
  try {
    const named = peers.length === 0 ? turn : { ...turn, peers };
    return {
      status: 'completed',
      turn,
      outcome: await runTurn({ ...setting, meter: meter.ofTurn(turn.name) }, named, brief),
    };
  } catch (thrown) {
    scope.signal.throwIfAborted();
    if (!(thrown instanceof AosError) || thrown.code !== 'model_failed') throw thrown;
    const error: RunFailure = { code: thrown.code, message: thrown.message };
    // A resumed run may come here before any turn of its own has looked at what is finished already.
    progress.note(await scope.history());
    await progress.finish(turn.name, (share) =>
      scope.emit(`${turn.name}:failed`, {
        type: 'turn.failed',
        data: { turn: turn.name, agent_id: turn.agent.agent_id, round: turn.round, error, progress: share },
      }),
    );
    return { status: 'failed', turn, error };
  }
}

/** All attempts of a phase, in its order. Waits for every one of them even when one throws, so that none is left behind. */
export async function settleAll(attempts: readonly Promise<Attempt>[]): Promise<readonly Attempt[]> {
  const settled = await Promise.allSettled(attempts);
  return settled.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}

/** The failure a run ends with because of an agent's. */
export function runFailureOf(turn: PlannedTurn, error: RunFailure): AosError {
  return new AosError(error.code, `${turn.agent.agent_id} failed in ${turn.name}: ${error.message}`);
}
