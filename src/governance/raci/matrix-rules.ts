/**
 * What a matrix must fulfil beyond its form, so that for every action somebody answers who can be found. Each fault is a
 * sentence that names the activity or the action.
 */

import { AosError } from '../../core/errors.ts';
import type { JsonValue } from '../../core/json.ts';
import { checkSchema } from '../../core/schema-check.ts';
import { isLevel } from '../escalation.ts';
import {
  type Activity,
  accountableOf,
  createMatrix,
  type Matrix,
  type MatrixDocument,
  matrixSchema,
} from './matrix.ts';

/**
 * A document as a matrix.
 * @param given JSON of unknown form
 * @param actions names of the actions there are; each must have somebody who answers for it
 * @param what for the message, e.g. the file
 * @throws AosError invalid_request with every fault
 */
export function readMatrix(given: unknown, actions: readonly string[], what: string): Matrix {
  const document = checkSchema(matrixSchema, given as JsonValue, what);
  const faults = matrixFaults(document, actions);
  if (faults.length === 0) return createMatrix(document);
  throw new AosError('invalid_request', `${what} cannot be used: ${faults.join('; ')}.`, {
    reason: 'RACI_INVALID',
    details: faults.map((message) => ({ code: 'raci', message })),
  });
}

/** Every fault, in the order of the document, then of the actions. */
export function matrixFaults(document: MatrixDocument, actions: readonly string[]): readonly string[] {
  const faults: string[] = [];
  const { parties, activities } = document;
  const known = (name: string) => Object.hasOwn(parties, name);
  for (const [name, { substitutes, escalates_to: above }] of Object.entries(parties)) {
    const missing = substitutes.filter((each) => !known(each));
    if (missing.length > 0) faults.push(`party "${name}" has the substitute ${listed(missing)}, which is no party`);
    if (substitutes.includes(name)) faults.push(`party "${name}" is its own substitute`);
    if (above !== undefined && !known(above) && !isLevel(above)) {
      faults.push(`party "${name}" escalates to "${above}", which is neither a party nor a level`);
    }
  }
  for (const activity of activities) faults.push(...activityFaults(document, activity));
  const matrix = createMatrix(document);
  // Without an activity, nobody answers; of an activity with nobody, the sentence above names what it covers.
  const lost = actions.filter((action) => matrix.activityOf(action) === undefined);
  if (lost.length > 0) faults.push(`nobody is accountable for the action ${listed(lost)}: no activity covers it`);
  for (const activity of activities) {
    const accountable = accountableOf(activity);
    if (!known(accountable) || isReachable(document, accountable)) continue;
    const covered = actions.filter((action) => matrix.activityOf(action) === activity);
    if (actions.length > 0 && covered.length === 0) continue;
    faults.push(
      `nobody can be reached who is accountable for the action ${listed(covered.length > 0 ? covered : activity.actions)}: "${accountable}" has neither people nor a webhook nor a substitute who has`,
    );
  }
  const names = activities.map(({ name }) => name);
  const twice = [...new Set(names.filter((name, index) => names.indexOf(name) !== index))];
  if (twice.length > 0) faults.push(`there are several activities of the name ${listed(twice)}`);
  return faults;
}

function activityFaults({ parties }: MatrixDocument, activity: Activity): string[] {
  const faults: string[] = [];
  const { name, accountable, capability, responsible, consulted, informed } = activity;
  const where = `activity "${name}"`;
  const answering = typeof accountable === 'string' ? [accountable] : accountable;
  if (answering.length !== 1) {
    faults.push(`${where} must have exactly one accountable, it has ${answering.length}`);
  }
  const named = [...answering, ...responsible.filter(isParty), ...consulted.map(({ party }) => party), ...informed];
  const missing = [...new Set(named.filter((each) => !Object.hasOwn(parties, each)))];
  if (missing.length > 0) faults.push(`${where} names ${listed(missing)}, which is no party`);
  for (const each of responsible) {
    const party = parties[each];
    if (capability === undefined || party === undefined || !isParty(each)) continue;
    if (!party.capabilities.some((own) => own === capability || own === '*')) {
      faults.push(`${where}: "${each}" is responsible and lacks the capability "${capability}"`);
    }
  }
  for (const { party, blocking } of consulted) {
    if (!blocking || !Object.hasOwn(parties, party)) continue;
    if (!hasPeople(parties, party)) faults.push(`${where}: "${party}" must agree, and there is nobody to ask`);
  }
  return faults;
}

/** Whether it is a party, not an agent. */
export function isParty(responsible: string): boolean {
  return !responsible.startsWith('agent:');
}

function isReachable({ parties }: MatrixDocument, name: string): boolean {
  return reaches(parties, name, ({ people, webhook }) => people.length > 0 || webhook !== undefined);
}

function hasPeople(parties: MatrixDocument['parties'], name: string): boolean {
  return reaches(parties, name, ({ people }) => people.length > 0);
}

/** Whether it holds of the party or of a substitute, however far. */
function reaches(
  parties: MatrixDocument['parties'],
  name: string,
  holds: (party: MatrixDocument['parties'][string]) => boolean,
): boolean {
  const seen = new Set<string>();
  const pending = [name];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const party = parties[next];
    if (party === undefined || seen.has(next)) continue;
    seen.add(next);
    if (holds(party)) return true;
    pending.push(...party.substitutes);
  }
  return false;
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, 5).map((name) => `"${name}"`);
  return names.length > shown.length ? `${shown.join(', ')} and ${names.length - shown.length} more` : shown.join(', ');
}
