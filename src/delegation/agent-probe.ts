/** Asks registered agents how they are, one after the other as they fall due, through the guard of outgoing requests. */
import type { Clock } from '../core/clock.ts';
import { AosError, asError } from '../core/errors.ts';
import { createRounds } from '../core/rounds.ts';
import type { GuardedFetch } from '../egress/guarded-fetch.ts';
import type { Log } from '../telemetry/log.ts';
import type { AgentHealth, ListedAgent } from './agent-card.ts';
import { type AgentDirectory, probeAddress } from './directory.ts';

const TIMEOUT_MS = 5_000;
const EVERY_MS = 60_000;
/** How soon it is noticed that another process registered an agent. */
const LOOK_MS = 15_000;
const AT_A_TIME = 8;

export interface AgentProbe {
  start(): void;
  stop(): Promise<void>;
  /** Some agent is due. */
  due(): void;
  /** Asks one agent now. @returns it as it was found */
  check(agent: ListedAgent, signal: AbortSignal): Promise<ListedAgent>;
}

export interface AgentProbeParts {
  readonly directory: AgentDirectory;
  readonly fetch: GuardedFetch;
  readonly clock: Clock;
  readonly log: Log;
}

export function createAgentProbe({ directory, fetch, clock, log }: AgentProbeParts): AgentProbe {
  const stopping = new AbortController();

  async function check(agent: ListedAgent, signal: AbortSignal): Promise<ListedAgent> {
    if (agent.isOurs) return agent;
    const url = probeAddress(agent.card);
    if (url === undefined) return agent;
    const { health, detail } = await ask(fetch, agent, url, signal);
    await directory.noteHealth(agent, health, detail, new Date(clock.now() + EVERY_MS));
    return (await directory.find(agent.tenantId, agent.id)) ?? { ...agent, health, healthDetail: detail };
  }

  const rounds = createRounds({
    clock,
    longestMs: LOOK_MS,
    failed: (thrown) => log.warn('agents could not be asked how they are', { reason: asError(thrown).message }),
    async work() {
      const due = await directory.due(AT_A_TIME);
      await Promise.all(due.map((agent) => check(agent, stopping.signal)));
      return due.length === AT_A_TIME ? clock.now() : undefined;
    },
  });

  return {
    check,
    start: rounds.start,
    due: () => rounds.due(),
    async stop() {
      stopping.abort(new AosError('shutting_down', 'the server is stopping'));
      await rounds.stop();
    },
  };
}

/** 200 is healthy, what is below 500 is degraded, the rest and silence are not well. */
async function ask(
  fetch: GuardedFetch,
  { tenantId, id }: ListedAgent,
  url: string,
  signal: AbortSignal,
): Promise<{ readonly health: AgentHealth; readonly detail: string | null }> {
  try {
    // Of a simulation it is recorded once, however often it is asked.
    const about = { id: `probe ${tenantId} ${id}`, tenantId, userId: '', kind: 'health_probe', subject: id };
    const { status } = await fetch({ url, timeoutMs: TIMEOUT_MS, maxBytes: 1024, about }, signal);
    if (status === 200) return { health: 'healthy', detail: null };
    return { health: status < 500 ? 'degraded' : 'unhealthy', detail: `it answered ${status}` };
  } catch (thrown) {
    signal.throwIfAborted();
    return { health: 'unhealthy', detail: asError(thrown).message };
  }
}
