/** Which arguments the conditions of a policy look at: what a decision must have kept to be decided again by them. */
import type { JsonObject, JsonValue } from '../../core/json.ts';
import { isJsonObject } from '../../core/json.ts';
import { covers } from '../glob.ts';
import type { PolicyDocument } from './rule.ts';

const PATH = /\baction\.args((?:\.[A-Za-z_]\w*)+)/g;
/** The arguments as a whole, or by a computed name: no path says what is looked at. */
const WHOLE = /\baction\.args\b(?!\.[A-Za-z_])/;

/** Paths, dotted; `*` when a condition looks at all of them. */
export function argumentsRead({ rules }: Pick<PolicyDocument, 'rules'>, action: string): readonly string[] {
  const paths = new Set<string>();
  for (const { when, actions } of rules) {
    if (when === undefined || (actions !== undefined && !actions.some((pattern) => covers(pattern, action)))) continue;
    for (const [, path = ''] of when.matchAll(PATH)) paths.add(path.slice(1));
    if (WHOLE.test(when)) paths.add('*');
  }
  return [...paths];
}

/** Arguments by their paths as an object again. */
export function argumentsOfFacts(facts: JsonObject): JsonObject {
  const args: JsonObject = {};
  for (const [path, value] of Object.entries(facts)) place(args, path.split('.'), value);
  return args;
}

function place(within: JsonObject, [name = '', ...rest]: readonly string[], value: JsonValue): void {
  if (rest.length === 0) {
    within[name] = value;
    return;
  }
  const known = within[name];
  const inner = isJsonObject(known) ? known : {};
  within[name] = inner;
  place(inner, rest, value);
}
