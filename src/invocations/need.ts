/** The rights that the protocol's own calls want. */
import type { Need } from '../identity/access.ts';

export const needs = {
  start: { access: 'write', what: 'runs.start' },
  read: { access: 'read', what: 'runs.read' },
  cancel: { access: 'write', what: 'runs.cancel' },
} as const satisfies Record<string, Need>;
