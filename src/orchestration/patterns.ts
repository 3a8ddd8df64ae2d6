/** The patterns of this build, and which of them a request asks for. */

import { closest } from '../core/closest.ts';
import { AosError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import { collaborative } from './collaborative.ts';
import { newestPattern, type Pattern, type PatternRegistry, registryOf } from './pattern.ts';
import { sequential } from './sequential.ts';

export const patterns: PatternRegistry = registryOf([sequential, collaborative]);

/** The names a request may use. */
export const workflows: readonly string[] = [...new Set(Object.values(patterns).map(({ name }) => name))];

/** Used when a request names none. */
const USUAL_WORKFLOW = 'collaborative';

/** The name of the pattern a request asks for. */
export function workflowOf({ workflow }: JsonObject): string {
  return workflow === undefined || workflow === null || workflow === '' ? USUAL_WORKFLOW : String(workflow);
}

/** The pattern a request asks for, in its newest version. @throws AosError invalid_request */
export function patternFor(request: JsonObject): Pattern {
  const name = workflowOf(request);
  const pattern = newestPattern(patterns, name);
  if (pattern !== undefined) return pattern;
  throw new AosError(
    'invalid_request',
    `there is no workflow "${name}"${closest(name, workflows, ', did you mean "%s"?')} (there are: ${workflows.join(', ')})`,
  );
}
