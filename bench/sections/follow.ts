/**
 * How soon an event that one process writes reaches a follower in another one on the same database: from the append's
 * call to the follower's hand. Both clocks are the machine's own.
 */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isoTime, systemClock } from '../../src/core/clock.ts';
import { createEventLog } from '../../src/runs/event-log.ts';
import { DEFAULT_TENANT, runKey } from '../../src/runs/run.ts';
import { createRunStore } from '../../src/runs/run-store.ts';
import { openDatabase } from '../../src/store/database.ts';
import { startEmbeddedPostgres } from '../../src/store/embedded-postgres.ts';
import { cleanEnv } from '../measure/server-process.ts';
import { type LatencySummary, latencySummary } from '../measure/statistics.ts';
import { figure, table } from '../measure/table.ts';
import type { Effort, SectionResult } from '../section.ts';

/** Pause between two events: an idle machine, not a flood. */
const gapMs = 10;
const runId = 'bench-follow';
const log = { debug() {}, info() {}, warn() {}, error() {} };

export async function benchFollow(effort: Effort): Promise<SectionResult> {
  const folder = mkdtempSync(join(tmpdir(), 'aos-bench-follow-'));
  const server = await startEmbeddedPostgres({ folder, host: process, clock: systemClock, log });
  const database = await openDatabase({ url: server.url, clock: systemClock, log });
  const follower = fork(fileURLToPath(new URL('../servers/follower.ts', import.meta.url)), [server.url, runId], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: cleanEnv(),
  });
  const ended = once(follower, 'exit').then((): never => {
    throw new Error('the follower ended unexpectedly');
  });
  ended.catch(() => {});
  try {
    const events = createEventLog({ database, clock: systemClock });
    const runs = createRunStore({ database, events, clock: systemClock });
    await runs.admit({
      id: runId,
      kind: 'task',
      sessionId: runId,
      caller: { tenantId: DEFAULT_TENANT, userId: '' },
      request: {},
      simulated: true,
      callId: '',
      deadlineAt: isoTime(systemClock.now() + 3_600_000),
    });
    await Promise.race([once(follower, 'message'), ended]);
    const count = Math.max(100, Math.round((effort.rounds * effort.windowMs) / (2 * gapMs)));
    const latencies: number[] = [];
    for (let index = 0; index < count; index++) {
      const arrived = once(follower, 'message') as Promise<[number]>;
      const began = performance.timeOrigin + performance.now();
      await events.append(runKey(DEFAULT_TENANT, runId), `progress:${index}`, {
        type: 'run.progress',
        data: { progress: index / count },
      });
      const [at] = await Promise.race([arrived, ended]);
      latencies.push(at - began);
      await systemClock.sleep(gapMs);
    }
    return result(latencySummary(latencies));
  } finally {
    follower.kill('SIGKILL');
    await database.close();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function result(latencyMs: LatencySummary): SectionResult {
  const { count, p50, p99, max } = latencyMs;
  return {
    data: { latencyMs },
    aims: [{ what: 'ms to a follower in another process, at p99', measured: p99, is: 'at most', aim: 50 }],
    text: table(
      'Followers: from the call that writes an event to a follower in another process',
      ['events', 'p50 ms', 'p99 ms', 'max ms'],
      [[String(count), figure(p50), figure(p99), figure(max)]],
    ),
  };
}
