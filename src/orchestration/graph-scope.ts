/**
 * The scope as the nodes of a graph see it: one that can be closed when the run is to fail, and one whose steps end when
 * a node's time is up.
 */
import type { Clock } from '../core/clock.ts';
import { AosError, type ErrorCode } from '../core/errors.ts';
import type { JsonValue } from '../core/json.ts';
import type { RunScope, StepContext, StepOptions } from '../engine/engine.ts';

export interface ClosableScope {
  readonly scope: RunScope;
  /**
   * Begins no further step, and waits for those under way that change something: what became of them must be known
   * before the run ends. Whoever waits for a step that was not begun waits for good.
   */
  close(): Promise<void>;
}

export function closable(scope: RunScope): ClosableScope {
  const effects = new Set<Promise<unknown>>();
  let isClosed = false;
  return {
    scope: withSteps(scope, (name, body, options) => {
      if (isClosed) return new Promise(() => {});
      const step = scope.step(name, body, options);
      if (options?.effect !== undefined && options.effect !== 'read') {
        effects.add(step);
        const forget = () => effects.delete(step);
        step.then(forget, forget);
      }
      return step;
    }),
    async close() {
      isClosed = true;
      await Promise.allSettled(effects);
    },
  };
}

export interface Deadline {
  readonly seconds: number;
  /** What the step fails with. */
  readonly code: ErrorCode;
  readonly message: string;
}

/**
 * Runs `work` on a scope whose steps fail when the time is up. The failure is stored like any other of a step, so that a
 * resumed run knows it; the time begins anew with each execution.
 */
export async function withinTime<T>(
  { scope, clock }: { readonly scope: RunScope; readonly clock: Clock },
  deadline: Deadline | undefined,
  work: (scope: RunScope) => Promise<T>,
): Promise<T> {
  if (deadline === undefined) return work(scope);
  const late = new AbortController();
  const timer = clock.after(deadline.seconds * 1000, () => {
    late.abort(new AosError(deadline.code, deadline.message, { retry: 'never' }));
  });
  const limited = withSteps(scope, (name, body, options) =>
    scope.step(
      name,
      async (context) => {
        try {
          return await body({ ...context, signal: AbortSignal.any([context.signal, late.signal]) });
        } catch (thrown) {
          context.signal.throwIfAborted();
          throw late.signal.aborted ? late.signal.reason : thrown;
        }
      },
      options,
    ),
  );
  try {
    return await work(limited);
  } finally {
    timer.cancel();
  }
}

type Step = <T extends JsonValue>(
  name: string,
  body: (step: StepContext) => Promise<T>,
  options?: StepOptions<T>,
) => Promise<T>;

/** The scope with other steps. */
function withSteps(scope: RunScope, step: Step): RunScope {
  return {
    run: scope.run,
    signal: scope.signal,
    checkpointed: scope.checkpointed,
    step,
    emit: (key, event) => scope.emit(key, event),
    history: (filter) => scope.history(filter),
    aside: (work) => scope.aside(work),
    recorded: (name) => scope.recorded(name),
    isSettled: (name) => scope.isSettled(name),
    wait: (wait) => scope.wait(wait),
    sleepUntil: (name, at) => scope.sleepUntil(name, at),
    poll: (stepName, signalName) => scope.poll(stepName, signalName),
    child: (name, work) => scope.child(name, work),
    checkpoint: (state) => scope.checkpoint(state),
  };
}
