/** What whoever hands work on asks for. */
import type { JsonObject, JsonValue } from '../core/json.ts';
import type { Caller } from '../runs/run.ts';
import type { DelegationKind } from './delegation.ts';
import type { Letter } from './mail.ts';

export interface DelegationRequest {
  readonly caller: Caller;
  readonly from: string;
  /** Left out: the most trusted agent that can do it. */
  readonly to: string | undefined;
  readonly capability: string | undefined;
  readonly kind: DelegationKind;
  readonly priority: number;
  readonly input: JsonValue;
  readonly context: JsonObject;
  readonly reason: string | null;
  readonly sharedState: JsonObject;
  readonly maxSteps: number | undefined;
  readonly maxCostUsd: number | undefined;
  readonly timeoutSeconds: number;
  /** The agents that handed it on before, as far as the delegator says; what is recorded counts more. */
  readonly chain: readonly string[];
  /** The delegation this is a part of. */
  readonly parentId: string | undefined;
  /** The run that hands it on. */
  readonly runId: string | undefined;
  /** The message that asks, without what only the desk knows. */
  readonly letter: Omit<Letter, 'to' | 'delegationId' | 'taskId' | 'contextId'>;
  readonly requestHash: string;
  readonly callId: string;
  readonly traceparent: string | undefined;
}
