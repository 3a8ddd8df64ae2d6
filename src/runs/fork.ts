/**
 * Forking: a new run that begins with what another one had done up to a point. Pure: which of the stored steps it begins
 * with, and what would happen a second time. Steps ran in parallel, so the point is a moment: what had ended before the
 * chosen step began is kept, all else is done again.
 */

import { closest } from '../core/closest.ts';
import { AosError } from '../core/errors.ts';
import type { RunEvent } from './event.ts';
import type { RecordedStep } from './run-store.ts';

/** Something that had an effect, and would have it again. */
export type RepeatedEffect = {
  step: string;
  effect: 'write' | 'external';
  /** `unknown`: it was begun, and whether it happened is not known. */
  outcome: 'completed' | 'failed' | 'unknown';
  /** The tool that was used, where the log says so. */
  tool: string | null;
};

export interface ForkPlan {
  /** Names of the steps whose results the new run begins with. */
  readonly keep: readonly string[];
  /** Names of the stored steps that are done again. */
  readonly redo: readonly string[];
  readonly effects: readonly RepeatedEffect[];
}

/**
 * @param from name of the first step that is done again; '' to do again only what failed or was not done, undefined for all
 * @param events of the run; tools that were called and never answered are found in them
 * @throws AosError invalid_request when there is no such step
 */
export function planFork(
  steps: readonly RecordedStep[],
  from: string | undefined,
  events: readonly RunEvent[] = [],
): ForkPlan {
  const point = from === undefined || from === '' ? undefined : steps.find(({ name }) => name === from);
  if (point === undefined && from !== undefined && from !== '') throw unknownStep(from, steps);
  const hadEnded = (step: RecordedStep) => {
    if (from === undefined) return false;
    if (point === undefined) return 'value' in step.outcome;
    return step.ordinal < point.ordinal && step.completedAt <= point.startedAt;
  };
  const ended = steps.filter(hadEnded).map(({ name }) => name);
  const keep = ended.filter((name) => !isOpen(name, ended) && !isOfEntrance(name));
  const redo = steps.filter(({ name }) => !keep.includes(name));
  return { keep, redo: redo.map(({ name }) => name), effects: effectsOf(redo, steps, events) };
}

/**
 * Steps that begin something that a wait ends, by the end of their names, and how the step begins that ends it. Without
 * it they are begun anew: the answer to a question of the other run, or the end of its sub-run, would go to that run.
 */
const openings: readonly { readonly suffix: string; readonly closing: (name: string, base: string) => string }[] = [
  { suffix: '/begun', closing: (_name, base) => base },
  { suffix: '/reached', closing: (_name, base) => base },
  { suffix: '/deadline', closing: (_name, base) => base },
  { suffix: '/approval', closing: (name) => `${name}/outcome-` },
];

/** Whether what the step has begun had not come to its end, as far as these steps go. */
function isOpen(name: string, ended: readonly string[]): boolean {
  const opening = openings.find(({ suffix }) => name.endsWith(suffix));
  if (opening === undefined) return false;
  const closing = opening.closing(name, name.slice(0, -opening.suffix.length));
  return !ended.some((other) => (closing.endsWith('-') ? other.startsWith(closing) : other === closing));
}

/** Begins the names of the steps in which it is decided whether a run may begin (`governance/run-entrance.ts`). */
export const ENTRANCE = 'submit';

/** What let the other run in lets nobody else in. */
function isOfEntrance(name: string): boolean {
  return name.startsWith(`${ENTRANCE}/`);
}

/** Where a run that did not complete is taken up again: the last step that failed; '' when none did. */
export function failedStep(steps: readonly RecordedStep[]): string {
  return steps.findLast(({ outcome }) => 'error' in outcome)?.name ?? '';
}

function effectsOf(
  redo: readonly RecordedStep[],
  steps: readonly RecordedStep[],
  events: readonly RunEvent[],
): RepeatedEffect[] {
  const called = events.flatMap((event) => (event.type === 'tool.called' ? [event.data] : []));
  const toolOf = (step: string) => called.find((call) => call.step === step)?.tool ?? null;
  // Asking people again does nothing that they do not see.
  const asks = (name: string) => name.endsWith('/approval') || isOfEntrance(name);
  const happened = redo.flatMap(({ name, effect, outcome }): RepeatedEffect[] =>
    (effect === 'write' && !asks(name)) || effect === 'external'
      ? [{ step: name, effect, outcome: 'error' in outcome ? 'failed' : 'completed', tool: toolOf(name) }]
      : [],
  );
  const stored = new Set(steps.map(({ name }) => name));
  const begun = called.flatMap(({ step, effect, tool }): RepeatedEffect[] =>
    stored.has(step) || effect === 'read' ? [] : [{ step, effect, outcome: 'unknown', tool }],
  );
  return [...happened, ...begun];
}

function unknownStep(name: string, steps: readonly RecordedStep[]): AosError {
  const names = steps.map((step) => step.name);
  const known = names.length === 0 ? 'it has none yet' : `there are: ${names.slice(0, 30).join(', ')}`;
  return new AosError(
    'invalid_request',
    `the run has no step "${name}"${closest(name, names, ', did you mean "%s"?')} (${known})`,
    {
      reason: 'UNKNOWN_STEP',
    },
  );
}
