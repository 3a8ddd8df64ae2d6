/** What an approval is bound to: exactly one action with exactly these arguments. */
import { createHash } from 'node:crypto';
import { canonicalJson, type JsonObject } from '../core/json.ts';

/** SHA-256 in hex of the canonical JSON of `{action_type, args}`: the same for equal arguments in whatever order. */
export function actionHash(actionType: string, args: JsonObject): string {
  return createHash('sha256')
    .update(canonicalJson({ action_type: actionType, args }))
    .digest('hex');
}
