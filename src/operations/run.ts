/**
 * The operations on runs: what is executed, as those see it who look after it. Nothing here knows about tasks,
 * orchestrations or chats in particular; whose a run is decides who may ask.
 */
import type { SessionRegister } from '../agents/session.ts';
import { type Clock, isoTime } from '../core/clock.ts';
import { AosError } from '../core/errors.ts';
import { newUuid } from '../core/ids.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';
import type { Gate } from '../dispatch.ts';
import type { Engine } from '../engine/engine.ts';
import { settlementPayload } from '../engine/settlement.ts';
import type { Audit } from '../governance/audit/audit.ts';
import type { RunEvent } from '../runs/event.ts';
import { type EventAnchor, verifyAnchors, verifyEvents } from '../runs/event-chain.ts';
import type { EventLog } from '../runs/event-log.ts';
import { type Caller, enderOf, keyOfRun, type Run, runKey } from '../runs/run.ts';
import { createRunInsight } from '../runs/run-insight.ts';
import type { RunStore } from '../runs/run-store.ts';
import type { TenantScopes } from '../store/tenant-scopes.ts';
import { type Operation, realize, type StreamItem } from './operation.ts';
import { createRunForks, type ForkRequest } from './run-fork.ts';
import {
  cancelRun,
  forkRun,
  getRun,
  getSession,
  listRuns,
  listSessions,
  resumeRun,
  retryRun,
  runEvents,
  runPayload,
  runSteps,
  settleRun,
  signalRun,
  verifyRun,
} from './run-spec.ts';
import { isOver, reservedSignal, viewRun, viewRunDetail, viewRunEvent, viewStep } from './run-view.ts';

export interface RunParts {
  readonly gate: Gate;
  readonly runs: Pick<RunStore, 'findInTenant' | 'list' | 'steps'>;
  readonly events: Pick<EventLog, 'of'>;
  readonly engine: Pick<Engine, 'cancel' | 'signal'>;
  readonly sessions: SessionRegister;
  readonly tenant: TenantScopes;
  readonly audit: Pick<Audit, 'write' | 'seal' | 'trail'>;
  readonly clock: Clock;
}

/** How long a cancel waits for the end. */
const CANCEL_WAIT_MS = 2_000;
const MAX_CHILDREN = 200;
const PAGE = 500;

export function createRunOperations(parts: RunParts): readonly Operation[] {
  const { runs, events, engine, sessions, clock, tenant, audit } = parts;
  const insight = createRunInsight(parts);
  const forks = createRunForks(parts);

  async function find(id: string, caller: Caller): Promise<Run> {
    const run = await runs.findInTenant(id, caller);
    if (run !== undefined) return run;
    throw new AosError('not_found', `Run ${id} not found`, { reason: 'RUN_NOT_FOUND' });
  }

  /** Follows the log until `done` says so, the time has passed, or nobody waits any more. */
  async function awaitEvents(
    run: Run,
    after: number,
    ms: number,
    signal: AbortSignal,
    done: (event: RunEvent) => boolean,
  ) {
    const patience = new AbortController();
    const timer = clock.after(ms, () => patience.abort());
    try {
      for await (const event of events
        .of(run.caller.tenantId)
        .follow(keyOfRun(run), after, AbortSignal.any([signal, patience.signal]))) {
        if (done(event)) break;
      }
    } finally {
      timer.cancel();
      patience.abort();
    }
  }

  /** What the audit log kept of the run's log until it was read. */
  async function anchorsOf({ id, caller: { tenantId }, lastEvent }: Run): Promise<EventAnchor[]> {
    await audit.seal(tenantId);
    const anchors: EventAnchor[] = [];
    for (let before: number | undefined; ; ) {
      const page = await audit.trail.find(tenantId, { runId: id, before, limit: PAGE });
      for (const { action, details } of page) {
        const [seq, hash] =
          action === 'RUN_ANCHOR'
            ? [details['last_event'], details['last_hash']]
            : [details['event_seq'], details['event_hash']];
        if (typeof seq === 'number' && typeof hash === 'string' && seq <= lastEvent) anchors.push({ seq, hash });
      }
      before = page.at(-1)?.seq;
      if (page.length < PAGE) return anchors;
    }
  }

  async function* followEvents(run: Run, after: number, signal: AbortSignal): AsyncGenerator<StreamItem> {
    for await (const event of events.of(run.caller.tenantId).follow(keyOfRun(run), after, signal)) {
      yield { id: event.seq, event: event.type, data: viewRunEvent(event) as JsonObject };
    }
  }

  async function send(run: Run, name: string, payload: JsonObject, caller: Caller, id = newUuid()): Promise<string> {
    const accepted = await engine.signal(keyOfRun(run), { id, name, payload, actor: actorOf(caller) });
    if (!accepted) throw over(await find(run.id, caller));
    return id;
  }

  async function forked(run: Run, request: ForkRequest) {
    const { run: fork, plan } = await forks.fork(run, request);
    return { ...viewRun(fork), kept_steps: [...plan.keep], repeated_effects: [...plan.effects] };
  }

  return [
    realize(listRuns, async ({ status, kind, session_id, parent_id, since, limit, cursor }, { caller }) => {
      const page = await runs.list(caller, {
        status,
        kind,
        sessionId: session_id,
        parentId: parent_id,
        since: since === undefined ? undefined : isoTime(since),
        limit,
        cursor,
      });
      return { items: page.items.map(viewRun), next_cursor: page.nextCursor };
    }),

    realize(getRun, async ({ run_id: id }, { caller }) => {
      const run = await find(id, caller);
      const [waits, usage, children] = await Promise.all([
        insight.waits(run),
        insight.usage(run),
        runs.list(caller, { parentId: id, limit: MAX_CHILDREN }),
      ]);
      return viewRunDetail(run, { waits, usage, children: children.items });
    }),

    realize(
      runEvents,
      async ({ run_id: id, after, wait, limit }, { caller, signal }) => {
        let run = await find(id, caller);
        let page = await events.of(caller.tenantId).read(runKey(caller.tenantId, id), after, limit);
        if (page.length === 0 && wait > 0 && !isOver(run)) {
          await awaitEvents(run, after, wait * 1000, signal, () => true);
          page = await events.of(caller.tenantId).read(runKey(caller.tenantId, id), after, limit);
          run = await find(id, caller);
        }
        return {
          run_id: id,
          status: run.status,
          events: page.map(viewRunEvent),
          next_after: page.at(-1)?.seq ?? after,
        };
      },
      async ({ run_id: id, after }, { caller, signal }) => followEvents(await find(id, caller), after, signal),
    ),

    realize(cancelRun, async ({ run_id: id, reason }, { caller, signal }) => {
      const before = await find(id, caller);
      if (before.status === 'cancelled') return viewRun(before);
      if (isOver(before)) throw over(before);
      const asked =
        (await engine.cancel(id, reason || 'cancelled by the caller', enderOf(before.caller, caller))) ?? before;
      if (!isOver(asked)) await awaitEvents(asked, asked.lastEvent, CANCEL_WAIT_MS, signal, () => false);
      return viewRun(await find(id, caller));
    }),

    realize(signalRun, async ({ run_id: id, name, payload, signal_id }, { caller }) => {
      const run = await find(id, caller);
      const why = reservedSignal(name);
      if (why !== undefined) {
        throw new AosError('invalid_request', `the signal "${name}" cannot be sent by hand: ${why}`, {
          reason: 'RESERVED_SIGNAL',
        });
      }
      if (isOver(run)) throw over(run);
      const signalId = await send(run, name, payload as JsonObject, caller, signal_id ?? undefined);
      return { run_id: id, signal_id: signalId, name, accepted: true as const };
    }),

    realize(resumeRun, async ({ run_id: id, decision, raise }, { caller }) => {
      const run = await find(id, caller);
      if (isOver(run)) throw over(run);
      if (run.status === 'waiting' && run.waitingFor === 'definition' && decision === 'continue') {
        await send(run, 'definition', {}, caller);
        return { run_id: id, wait: 'definition', decision };
      }
      const reached = await insight.latest(run, 'run.limit_reached');
      const wait = reached?.data.wait;
      const answered = wait === undefined || (await runs.steps(run)).some((step) => step.name === wait);
      if (answered) {
        throw new AosError('conflict', `Run ${id} does not stand at a limit: it is ${run.status}`, {
          reason: 'RUN_NOT_AT_LIMIT',
          facts: { status: run.status, waiting_for: run.waitingFor },
        });
      }
      // Of two who answer the same limit the run takes the first.
      await send(run, wait, { decision, raise: raise as JsonObject }, caller, `resume/${wait}`);
      return { run_id: id, wait, decision };
    }),

    realize(settleRun, async ({ run_id: id, wait: named, outcome, note, external_id, result }, { caller }) => {
      const run = await find(id, caller);
      if (isOver(run)) throw over(run);
      const open = (await insight.waits(run)).filter(({ reason }) => reason === 'unknown_outcome');
      const chosen = named == null ? open : open.filter(({ name }) => name === named);
      const [wait, ...others] = chosen;
      if (wait === undefined || others.length > 0) {
        const which = open.map(({ name }) => name);
        const message =
          which.length === 0
            ? `Run ${id} waits for nobody to say how an effect ended: it is ${run.status}`
            : `Run ${id} waits for ${which.length} outcomes: name one of them as "wait": ${which.join(', ')}`;
        throw new AosError('conflict', message, {
          reason: which.length === 0 ? 'OUTCOME_KNOWN' : 'WHICH_OUTCOME',
          facts: { status: run.status, waits: which },
        });
      }
      const settlement = { outcome, note: note ?? undefined, externalId: external_id ?? undefined };
      const payload = settlementPayload({
        ...settlement,
        ...(result !== undefined && { result: result as JsonValue }),
      });
      await tenant(caller.tenantId)
        .transaction()
        .execute(async (trx) => {
          // Of two who settle the same the run takes the first.
          const signal = { id: wait.name, name: wait.signal, payload, actor: actorOf(caller) };
          if (!(await engine.signal(runKey(caller.tenantId, id), signal, trx))) throw over(run);
          await audit.write(trx, {
            tenantId: caller.tenantId,
            action: 'OUTCOME_SETTLED',
            outcome: outcome === 'completed' ? 'success' : outcome === 'failed' ? 'failure' : 'cancelled',
            actor: { type: 'user', id: caller.userId || 'anonymous' },
            run_id: id,
            details: { wait: wait.name, settled_as: outcome },
            owner: run.caller.userId,
          });
        });
      return { run_id: id, wait: wait.name, outcome };
    }),

    realize(forkRun, async ({ run_id: id, from_step, input, fork_id, confirm_effects }, { caller, callId }) =>
      forked(await find(id, caller), {
        from: from_step ?? undefined,
        edited: JSON.parse(JSON.stringify(input)) as JsonObject,
        id: fork_id ?? undefined,
        confirmed: confirm_effects,
        actor: actorOf(caller),
        callId,
      }),
    ),

    realize(retryRun, async ({ run_id: id, fork_id, confirm_effects }, { caller, callId }) => {
      const run = await find(id, caller);
      return forked(run, {
        from: await forks.retryPoint(run),
        edited: {},
        id: fork_id ?? undefined,
        confirmed: confirm_effects,
        actor: actorOf(caller),
        callId,
      });
    }),

    realize(runPayload, async ({ run_id: id, sha256 }, { caller }) => {
      await find(id, caller);
      const value = await events.of(caller.tenantId).payload(runKey(caller.tenantId, id), sha256);
      if (value !== undefined) return { run_id: id, sha256, value };
      throw new AosError('not_found', `Run ${id} has no payload ${sha256}`, { reason: 'PAYLOAD_NOT_FOUND' });
    }),

    realize(runSteps, async ({ run_id: id, include_output }, { caller }) => {
      const steps = await runs.steps(await find(id, caller));
      return { run_id: id, items: steps.map((step) => viewStep(step, include_output)) };
    }),

    realize(verifyRun, async ({ run_id: id }, { caller }) => {
      const run = await find(id, caller);
      const all: RunEvent[] = [];
      for (let more = true; more; ) {
        const page = await events.of(caller.tenantId).read(runKey(caller.tenantId, id), all.at(-1)?.seq ?? 0, PAGE);
        // What was written after the run was read is not its newest event.
        all.push(...page.filter(({ seq }) => seq <= run.lastEvent));
        more = page.length === PAGE;
      }
      const anchors = await anchorsOf(run);
      const fault = verifyEvents(all, run) ?? verifyAnchors(all, anchors);
      return {
        run_id: id,
        valid: fault === undefined,
        events: all.length,
        head: all.at(-1)?.hash ?? run.lastHash,
        audited: anchors.length,
        fault: fault ?? null,
      };
    }),

    realize(listSessions, async ({ limit }, { caller }) => {
      const found = await sessions.list(caller, limit);
      const items = found.map(({ sessionId, userId, messages, firstAt, lastAt }) => ({
        session_id: sessionId,
        user_id: userId,
        messages,
        first_at: firstAt,
        last_at: lastAt,
      }));
      return { items, next_cursor: null };
    }),

    realize(getSession, async ({ session_id: sessionId, after, limit }, { caller }) => {
      const session = { ...caller, sessionId };
      const messages = await sessions.messages(session, after, limit);
      if (messages.length === 0 && (after === 0 || (await sessions.messages(session, 0, 1)).length === 0)) {
        throw new AosError('not_found', `Session ${sessionId} not found`, { reason: 'SESSION_NOT_FOUND' });
      }
      return {
        session_id: sessionId,
        messages: messages.map(({ seq, role, content, runId, at }) => ({ seq, role, content, run_id: runId, at })),
        next_after: messages.at(-1)?.seq ?? after,
      };
    }),
  ];
}

function actorOf({ userId }: Caller): string {
  return `user:${userId}`;
}

function over({ id, status }: Run): AosError {
  return new AosError('conflict', `Run ${id} is already ${status}`, { reason: 'RUN_TERMINAL', facts: { status } });
}
