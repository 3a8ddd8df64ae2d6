/**
 * The desk at which agents hand work on: it judges, records, and gives the work to whoever is to do it, all in one
 * transaction. Who asks must speak for the agent that hands it on; only who speaks for the delegatee takes it.
 */
import type { Clock } from '../core/clock.ts';
import type { Engine } from '../engine/engine.ts';
import { type Caller, doneBy } from '../runs/run.ts';
import type { RunStore } from '../runs/run-store.ts';
import type { Database } from '../store/database.ts';
import type { TaskQueue } from '../tasks/task-queue.ts';
import type { SharedContexts } from './agent-context.ts';
import { createDelegateeWords, type DelegateeWords } from './delegatee-word.ts';
import type { Delegation } from './delegation.ts';
import { cancelledEnding, createDelegationEndings, type DelegationEndings } from './delegation-ending.ts';
import { endedDelegation, unknownDelegation } from './delegation-fault.ts';
import type { DelegationLog, Push } from './delegation-log.ts';
import { createDelegationNews } from './delegation-news.ts';
import { createDelegationParties } from './delegation-party.ts';
import { type DelegationFilter, type DelegationPage, listDelegations, loadDelegation } from './delegation-store.ts';
import type { AgentDirectory } from './directory.ts';
import { createHandOver, type Delegate } from './hand-over.ts';
import type { Mail } from './mail.ts';
import type { News } from './news.ts';

export interface DelegationDesk extends DelegateeWords, Pick<DelegationEndings, 'end'> {
  readonly delegate: Delegate;
  /**
   * Ends it and everything it was handed on to as cancelled.
   * @throws AosError not_found; conflict (DELEGATION_TERMINAL) when it has ended
   */
  cancel(caller: Caller, id: string, reason: string): Promise<Delegation>;
  /** The delegation of that id, if the caller's work, or an agent of theirs, has to do with it. */
  find(caller: Caller, id: string): Promise<Delegation | undefined>;
  list(caller: Caller, filter: DelegationFilter): Promise<DelegationPage>;
}

export interface DelegationDeskParts {
  readonly database: Pick<Database, 'db' | 'tenant' | 'notifications'>;
  readonly directory: AgentDirectory;
  readonly contexts: SharedContexts;
  readonly mail: Mail;
  readonly news: News;
  readonly log: DelegationLog;
  readonly queue: Pick<TaskQueue, 'submit' | 'cancel'>;
  readonly runs: Pick<RunStore, 'findInTenant'>;
  readonly clock: Clock;
  readonly maxDepth: number;
  readonly push?: Push | undefined;
  /** Wakes the run that waits for what it handed on; the engine's. Nobody is woken when left out. */
  readonly signal?: Engine['signal'] | undefined;
}

export function createDelegationDesk(parts: DelegationDeskParts): DelegationDesk {
  const { tenant } = parts.database;
  const news = createDelegationNews(parts);
  const parties = createDelegationParties(parts.directory);
  const endings = createDelegationEndings({ ...parts, news });

  return {
    delegate: createHandOver({ ...parts, news, parties }),
    ...createDelegateeWords({ ...parts, news, parties, endings }),
    end: endings.end,
    async cancel(caller, id, reason) {
      const delegation = await loadDelegation(tenant(caller.tenantId), { caller, id });
      if (delegation === undefined || !(await parties.mayCancel(delegation, caller))) throw unknownDelegation(id);
      const by = doneBy(delegation.caller, caller).changed_by;
      const after = await endings.end(delegation, { ...cancelledEnding(reason), by });
      if (after !== undefined) return after;
      throw endedDelegation((await loadDelegation(tenant(caller.tenantId), { caller, id })) ?? delegation);
    },
    async find(caller, id) {
      const delegation = await loadDelegation(tenant(caller.tenantId), { caller, id });
      return delegation !== undefined && (await parties.concerns(delegation, caller)) ? delegation : undefined;
    },
    list: (caller, filter) => listDelegations(tenant(caller.tenantId), caller, filter),
  };
}
