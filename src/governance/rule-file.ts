/** Rules from files: what an operator names in the environment, else what ships with the package. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AosError, asError } from '../core/errors.ts';
import type { JsonValue } from '../core/json.ts';
import { parseJsonText } from '../core/json-text.ts';
import type { ConditionCompiler } from './policy/condition.ts';
import { createPolicy, type Policy } from './policy/policy.ts';
import { defaultMatrix } from './raci/default-matrix.ts';
import { createMatrix, type Matrix } from './raci/matrix.ts';
import { matrixFaults, readMatrix } from './raci/matrix-rules.ts';

/**
 * @param path undefined for the matrix of the blueprint
 * @param actions names of the actions there are
 * @throws AosError invalid_request with a sentence for every fault
 */
export async function loadMatrix(path: string | undefined, actions: readonly string[]): Promise<Matrix> {
  if (path !== undefined) return readMatrix(await readJsonFile(path, 'RACI matrix'), actions, `The matrix ${path}`);
  const faults = matrixFaults(defaultMatrix, actions);
  if (faults.length === 0) return createMatrix(defaultMatrix);
  throw new AosError('invalid_request', `The default matrix cannot be used: ${faults.join('; ')}.`, {
    reason: 'RACI_INVALID',
  });
}

/** @param path undefined for the policy that ships with the package. @throws AosError invalid_request */
export async function loadPolicy(path: string | undefined, compiler: ConditionCompiler): Promise<Policy> {
  const file = path ?? shippedPolicyPath();
  return createPolicy(await readJsonFile(file, 'policy'), compiler, `The policy ${file}`);
}

/** `policies/default.policy.json` of this package, found upwards so that sources and build output find the same file. */
function shippedPolicyPath(): string {
  for (let folder = import.meta.dirname; folder !== dirname(folder); folder = dirname(folder)) {
    const candidate = join(folder, 'policies', 'default.policy.json');
    if (existsSync(candidate)) return candidate;
  }
  throw new Error(
    'the policy that ships with this package (policies/default.policy.json) is missing: install it again',
  );
}

/** @throws AosError invalid_request when there is no such file, or no JSON in it */
export async function readJsonFile(path: string, what: string): Promise<JsonValue> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (thrown) {
    throw new AosError('invalid_request', `The ${what} ${path} cannot be read.`, { cause: asError(thrown) });
  }
  return parseJsonText(text, `the ${what} ${path}`);
}
