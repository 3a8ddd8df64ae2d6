/**
 * A run that asks to come in, as an action: judged at the entrance, where nobody can wait, and where somebody has to agree
 * once more in the run itself, before it begins.
 */
import { AosError } from '../core/errors.ts';
import type { RunScope } from '../engine/engine.ts';
import { ENTRANCE } from '../runs/fork.ts';
import type { Run } from '../runs/run.ts';
import type { ProposedAction } from './action.ts';
import type { Governor } from './governor.ts';
import { refusalOf } from './verdict.ts';

export function entranceOf({
  id,
  kind,
  request,
  forkOf,
}: Pick<Run, 'id' | 'kind' | 'request' | 'forkOf'>): ProposedAction {
  const type = forkOf === null ? 'submit' : 'fork';
  return {
    name: ENTRANCE,
    what: { kind: 'run', type, target: null, actionClass: kind, effect: 'write', entityId: id },
    agentId: null,
    args: request,
    title: kind === 'chat' ? 'Answer a message' : 'Begin an orchestration',
  };
}

/**
 * Waits until those agree who have to, when the run came in on that condition.
 * @param asked what they are asked
 * @throws AosError what it is refused with; conflict when they agreed to something else
 */
export async function passEntrance(
  governor: Governor,
  scope: RunScope,
  asked: ProposedAction = entranceOf(scope.run),
): Promise<void> {
  if (!scope.run.held) return;
  const verdict = await governor.allow(scope, asked);
  if (verdict.kind !== 'allow') throw refusalOf(verdict);
  if (verdict.edited) {
    throw new AosError('conflict', 'The approvers agreed to something else than was asked for: submit that anew.', {
      reason: 'APPROVED_OTHERWISE',
    });
  }
}
