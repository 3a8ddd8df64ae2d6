/** Agents among themselves put together: their directory, mail, delegations, and the protocol over them. */
import type { DelegationConfig } from '../config/delegation.ts';
import type { Clock } from '../core/clock.ts';
import { jsonOf } from '../core/json.ts';
import type { GuardedFetch } from '../egress/guarded-fetch.ts';
import type { Outbox } from '../egress/outbox.ts';
import type { Engine } from '../engine/engine.ts';
import type { Fabric } from '../fabric/fabric.ts';
import type { Audit } from '../governance/audit/audit.ts';
import type { Governor } from '../governance/governor.ts';
import type { DataGuard } from '../governance/screening/data-guard.ts';
import type { AgentRegister } from '../operations/agent-register.ts';
import type { Feed } from '../runs/feed.ts';
import type { RunStore } from '../runs/run-store.ts';
import type { Database } from '../store/database.ts';
import type { TaskQueue } from '../tasks/task-queue.ts';
import type { Log } from '../telemetry/log.ts';
import type { Parts } from './loading.ts';

export interface DelegationOptions {
  readonly parts: Parts;
  readonly config: DelegationConfig;
  readonly database: Database;
  readonly catalogue: AgentRegister;
  readonly fabric: Fabric;
  readonly governor: Governor;
  readonly dataGuard: DataGuard;
  readonly audit: Audit;
  readonly feed: Feed;
  readonly queue: TaskQueue;
  readonly runs: RunStore;
  /** Wakes runs; the engine's. */
  readonly signal: Engine['signal'];
  readonly outbox: Outbox;
  /** For addresses that others named. */
  readonly fetch: GuardedFetch;
  readonly clock: Clock;
  readonly log: Log;
}

export function createDelegation(options: DelegationOptions) {
  const { parts, config, database, catalogue, fabric, audit, feed, queue, clock, log } = options;
  const news = parts.createNews({ notifications: database.notifications, clock });
  const directory = parts.createAgentDirectory({
    database,
    ours: (caller) => catalogue.visibleTo(caller),
    audit,
    feed,
    clock,
  });
  const probe = parts.createAgentProbe({ directory, fetch: options.fetch, clock, log });
  const mail = parts.createMail({ database, news, clock });
  const contexts = parts.createSharedContexts({ database, clock });
  const compose = parts.createCompose({ actions: fabric.actions });
  const letterEgress = parts.createLetterEgress(options.dataGuard);
  const push = config.push
    ? parts.pushThrough(options.outbox, async (letter) => jsonOf(parts.viewMessage(await letterEgress.letter(letter))))
    : undefined;
  const shared = { database, directory, contexts, mail, news, queue, audit, clock, push };
  const desk = parts.createDelegationDesk({
    ...shared,
    log: parts.createDelegationLog({ mail, audit, feed, compose }),
    runs: options.runs,
    signal: options.signal,
    maxDepth: config.maxDepth,
  });
  const watch = parts.createDelegationWatch({ database, desk, mail, compose, queue, clock, log });
  const ingress = parts.createIngress(options);
  const delegating = parts.createDelegating({ desk, mail, news, ingress, directory, clock });
  const post = parts.createPost({ ...shared, ingress, delegating, desk });
  return {
    agentDirectory: directory,
    agentProbe: probe,
    mail,
    news,
    sharedContexts: contexts,
    delegationDesk: desk,
    delegationWatch: watch,
    delegating,
    post,
    letterEgress,
  };
}
