/** The news of delegations, told after what they tell is committed: to whoever listens, and to the run that waits. */

import type { Engine } from '../engine/engine.ts';
import { runKey } from '../runs/run.ts';
import { type Delegation, delegationName, endSignal, isOpen } from './delegation.ts';
import { inboxKey } from './mail.ts';
import type { News } from './news.ts';

export interface DelegationNews {
  /** Something happened to it: wakes whoever waits for it, or at the inbox of one of its agents. */
  announce(delegation: Delegation): void;
  /** Wakes the run that handed it on, if it has ended. A run that is not woken looks again by itself. */
  wake(delegation: Delegation): Promise<void>;
}

export interface DelegationNewsParts {
  readonly news: News;
  /** Wakes the run that waits for what it handed on; the engine's. Nobody is woken when left out. */
  readonly signal?: Engine['signal'] | undefined;
}

export function createDelegationNews({ news, signal }: DelegationNewsParts): DelegationNews {
  return {
    announce(delegation) {
      const { from, to, caller } = delegation;
      const inboxes = [from, to].map((agent) => inboxKey(caller.tenantId, agent));
      for (const key of [delegationName(delegation), ...inboxes]) news.tell(key);
    },
    async wake({ id, caller, parentRunId, kind, status }) {
      if (isOpen(status) || parentRunId === null || kind === 'async') return;
      const name = endSignal(id);
      await signal?.(runKey(caller.tenantId, parentRunId), {
        id: name,
        name,
        payload: { status },
        actor: 'system',
      }).catch(() => false);
    },
  };
}
