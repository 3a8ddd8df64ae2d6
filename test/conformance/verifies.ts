/**
 * How a test says which requirements it proves: `test('title', verifies('post:ids'), async () => …)`.
 * The ids are literals, so that the compiler refuses unknown ones and the gate can read them from the source.
 */
import type { RequirementId } from './requirements.ts';

declare module 'vitest' {
  interface TaskMeta {
    verifies?: readonly RequirementId[];
  }
}

export function verifies(...ids: readonly [RequirementId, ...RequirementId[]]): {
  meta: { verifies: readonly RequirementId[] };
} {
  return { meta: { verifies: ids } };
}
