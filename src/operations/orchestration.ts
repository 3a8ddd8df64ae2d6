/**
 * The orchestration API over runs: what a client submits goes through the gate like everything else, and what it reads
 * is the run and its log.
 */
import type { Clock } from '../core/clock.ts';
import { AosError } from '../core/errors.ts';
import { newUuid } from '../core/ids.ts';
import type { Gate, WorkRequest } from '../dispatch.ts';
import type { Engine } from '../engine/engine.ts';
import type { EventLog } from '../runs/event-log.ts';
import { type Caller, enderOf, keyOfRun, type Run, runKey } from '../runs/run.ts';
import type { RunStore } from '../runs/run-store.ts';
import type { Callbacks } from './callback.ts';
import { type Operation, realize, type StreamItem } from './operation.ts';
import { workOf } from './orchestration-request.ts';
import {
  cancelOrchestration,
  getOrchestration,
  getOrchestrationResult,
  listOrchestrations,
  orchestrationUpdates,
  stopOrchestration,
  submitOrchestration,
  subscribeToOrchestration,
} from './orchestration-spec.ts';
import { type OrchestrationUpdate, viewUpdate } from './orchestration-update.ts';
import { hasEnded, kindOf, statusesOf, statusOf, viewResult, viewStatus } from './orchestration-view.ts';
import type { PartialResults } from './partial-result.ts';
import type { RecordStore } from './record-store.ts';
import type { RunPulse } from './run-pulse.ts';

/** How long the answers to a cancel and a stop wait for the end. */
const CANCEL_WAIT_MS = 2_000;
const STOP_WAIT_MS = 10_000;
const PAGE = 500;

export interface OrchestrationParts {
  readonly gate: Gate;
  readonly runs: Pick<RunStore, 'findInTenant' | 'list'>;
  readonly events: Pick<EventLog, 'of'>;
  readonly engine: Pick<Engine, 'cancel' | 'signal'>;
  readonly records: RecordStore;
  readonly pulse: RunPulse;
  readonly callbacks: Pick<Callbacks, 'note' | 'forget' | 'watch'>;
  readonly partialResults: PartialResults;
  readonly clock: Clock;
  /** The names of the MCP servers that are configured. */
  readonly mcpServers: readonly string[];
}

export function createOrchestrationOperations(parts: OrchestrationParts): readonly Operation[] {
  const { gate, runs, events, engine, records, pulse, callbacks, partialResults, clock, mcpServers } = parts;

  async function find(id: string, caller: Caller): Promise<Run> {
    const run = await runs.findInTenant(id, caller);
    if (run?.kind === 'orchestration') return run;
    throw new AosError('not_found', `Orchestration '${id}' not found`, { reason: 'ORCHESTRATION_NOT_FOUND' });
  }

  const view = async (run: Run) => viewStatus(run, await pulse.of(run));

  /** The run once it has ended, or as it is after `ms` milliseconds. */
  async function settled(run: Run, caller: Caller, ms: number, signal: AbortSignal): Promise<Run> {
    if (hasEnded(run)) return run;
    const patience = new AbortController();
    const timer = clock.after(ms, () => patience.abort());
    for await (const _event of events
      .of(run.caller.tenantId)
      .follow(keyOfRun(run), run.lastEvent, AbortSignal.any([signal, patience.signal])));
    timer.cancel();
    return find(run.id, caller);
  }

  /** The address is noted first: no run may end without it. */
  async function submitWithCallback(work: WorkRequest, url: string): Promise<Run> {
    await callbacks.note(work.id, url, work.caller);
    const { run } = await gate.submit(work).catch(async (failure: unknown) => {
      await callbacks.forget(work.id, url, work.caller);
      throw failure;
    });
    // Also one that had ended before: whoever asks again may ask because the process died that was to send the result.
    callbacks.watch(run);
    return run;
  }

  function refuse(verb: string, run: Run): never {
    const status = statusOf(run);
    throw new AosError('conflict', `Cannot ${verb} orchestration in '${status}' state`, {
      reason: 'ORCHESTRATION_TERMINAL',
      facts: { status },
    });
  }

  async function* followUpdates(run: Run, after: number, signal: AbortSignal): AsyncGenerator<StreamItem> {
    for await (const event of events.of(run.caller.tenantId).follow(keyOfRun(run), after, signal)) {
      const update = viewUpdate(event);
      if (update !== undefined) yield { id: update.seq, event: update.update_type, data: update };
    }
  }

  /** Up to `limit` updates above `after`; waits for the first one when asked to. */
  async function readUpdates(run: Run, after: number, limit: number, waitMs: number, signal: AbortSignal) {
    const updates: OrchestrationUpdate[] = [];
    let last = after;
    const patience = new AbortController();
    const timer = clock.after(waitMs, () => patience.abort());
    const stop = AbortSignal.any([signal, patience.signal]);
    try {
      while (updates.length < limit) {
        const page = await events
          .of(run.caller.tenantId)
          .read(keyOfRun(run), last, Math.min(PAGE, limit - updates.length));
        for (const event of page) {
          const update = viewUpdate(event);
          if (update !== undefined) updates.push(update);
          last = event.seq;
        }
        if (page.length > 0) continue;
        if (updates.length > 0 || waitMs === 0 || stop.aborted) break;
        const next = await events
          .of(run.caller.tenantId)
          .follow(keyOfRun(run), last, stop)
          [Symbol.asyncIterator]()
          .next();
        // Nothing more will come, or nobody waits any longer.
        if (next.done) break;
      }
    } finally {
      timer.cancel();
      patience.abort();
    }
    return { updates, next_after: last };
  }

  return [
    realize(submitOrchestration, async (asked, { caller, callId }) => {
      const id = asked.orchestration_id ?? newUuid();
      const body = workOf(asked, mcpServers);
      const work = { id, kind: 'orchestration', sessionId: id, caller, body, callId } as const;
      const { callback_url: url } = asked;
      return view(url ? await submitWithCallback(work, url) : (await gate.submit(work)).run);
    }),

    realize(listOrchestrations, async ({ status, limit, cursor }, { caller }) => {
      const page = await runs.list(caller, {
        kind: 'orchestration',
        limit,
        ...(status !== undefined && { status: statusesOf(status) }),
        ...(cursor !== undefined && { cursor }),
      });
      const pulses = await pulse.ofAll(caller.tenantId, page.items);
      const items = page.items.flatMap((run, index) => {
        const beat = pulses[index];
        return beat === undefined ? [] : [viewStatus(run, beat)];
      });
      return { items, next_cursor: page.nextCursor };
    }),

    realize(getOrchestration, async ({ orchestration_id: id }, { caller }) => view(await find(id, caller))),

    realize(getOrchestrationResult, async ({ orchestration_id: id, partial }, { caller }) => {
      const run = await find(id, caller);
      const has = hasEnded(run) && run.status !== 'cancelled';
      if (!has && !partial) {
        throw new AosError('conflict', 'Orchestration has not completed yet', {
          reason: 'NOT_COMPLETED',
          facts: { status: statusOf(run) },
        });
      }
      return viewResult(run, run.result === null ? await partialResults(run) : {});
    }),

    realize(cancelOrchestration, async ({ orchestration_id: id, reason }, { caller, signal }) => {
      const before = await find(id, caller);
      if (hasEnded(before)) return refuse('cancel', before);
      const asked =
        (await engine.cancel(id, reason ?? 'cancelled by the caller', enderOf(before.caller, caller))) ?? before;
      const run = await settled(asked, caller, CANCEL_WAIT_MS, signal);
      // It may have come to another end while it was asked to.
      return hasEnded(run) && run.status !== 'cancelled' ? refuse('cancel', run) : view(run);
    }),

    realize(stopOrchestration, async ({ orchestration_id: id, reason }, { caller, signal }) => {
      const before = await find(id, caller);
      if (statusOf(before) === 'stopped') return view(before);
      if (hasEnded(before)) return refuse('stop', before);
      if (kindOf(before) === 'finite') {
        throw new AosError('conflict', 'a finite orchestration ends by itself: cancel it to end it now', {
          reason: 'NOT_PERPETUAL',
          facts: { status: statusOf(before) },
        });
      }
      const payload = { reason: reason ?? 'stopped by the caller' };
      await engine.signal(runKey(caller.tenantId, id), {
        id: `${id}/stop`,
        name: 'stop',
        payload,
        actor: `user:${caller.userId}`,
      });
      return view(await settled(before, caller, STOP_WAIT_MS, signal));
    }),

    realize(
      orchestrationUpdates,
      async ({ orchestration_id: id, after, wait, limit }, { caller, signal }) => {
        const run = await find(id, caller);
        const read = await readUpdates(run, after, limit, wait * 1000, signal);
        return { orchestration_id: id, status: statusOf(await find(id, caller)), ...read };
      },
      async ({ orchestration_id: id, after }, { caller, signal }) =>
        followUpdates(await find(id, caller), after, signal),
    ),

    realize(subscribeToOrchestration, async (asked, { caller }) => {
      const run = await find(asked.orchestration_id, caller);
      const id = asked.subscription_id ?? newUuid();
      const data = { subscriber: asked.subscriber ?? null, callback_url: asked.callback_url ?? null };
      if (asked.callback_url) {
        await callbacks.note(run.id, asked.callback_url, caller);
        callbacks.watch(run);
      }
      const kept = await records.put(caller.tenantId, 'subscription', `${run.id}/${id}`, data);
      return { id, orchestration_id: run.id, ...data, status: 'active' as const, created_at: kept.createdAt };
    }),
  ];
}
