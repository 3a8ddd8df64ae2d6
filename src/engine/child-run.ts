/**
 * A run started by another: once, under an id that follows from its parent's, and waited for by the signal that its end
 * sends to the parent.
 */
import { createHash } from 'node:crypto';
import { AosError } from '../core/errors.ts';
import { isProtocolId } from '../core/ids.ts';
import type { JsonObject } from '../core/json.ts';
import { isTerminal, type Run, type RunKey, runKey } from '../runs/run.ts';
import type { ChildWork, RunScope } from './engine.ts';

export interface ChildStepParts extends Pick<RunScope, 'run' | 'step' | 'wait'> {
  readonly start: (parent: Run, id: string, work: ChildWork) => Promise<Run>;
  readonly load: (run: RunKey) => Promise<Run | undefined>;
}

export async function childStep(parts: ChildStepParts, name: string, work: ChildWork): Promise<Run> {
  const { run, step, wait, start, load } = parts;
  const begun = await step<JsonObject>(
    `${name}/begun`,
    async () => {
      const child = await start(run, work.id ?? childId(run.id, name), work);
      return { run_id: child.id, ended: isTerminal(child.status) };
    },
    { effect: 'write' },
  );
  const id = String(begun['run_id']);
  if (begun['ended'] !== true) await wait({ name, signal: `run/${id}`, reason: 'run', detail: { run_id: id } });
  const child = await load(runKey(run.caller.tenantId, id));
  if (child === undefined) throw new AosError('not_found', `The run "${id}" that this one started is gone.`);
  return child;
}

/** The parent's id, a dot and the name; where that is no id, a short hash instead of what is too long or too odd. */
export function childId(parentId: string, name: string): string {
  const slug = name.replaceAll(/[^A-Za-z0-9\-_.:]+/g, '-');
  const plain = `${parentId}.${slug}`;
  if (isProtocolId(plain)) return plain;
  const hash = createHash('sha256').update(`${parentId}.${name}`).digest('hex').slice(0, 24);
  return `${parentId.slice(0, 200)}.${hash}`;
}
