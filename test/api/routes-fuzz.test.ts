import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { JsonObject, JsonValue } from '../../src/core/json.ts';
import { readContract } from '../support/api.ts';
import { startTestContainer, type TestContainer } from '../support/container.ts';
import { type KnownIds, pathOf, type Wish, wishesOf } from '../support/wish.ts';

/** How long to go on; a first failure is made small beyond it. */
const BUDGET_MS = 20_000;
/** An answer that takes longer is one that waits for news: let go. */
const PATIENCE_MS = 2_000;
/** The model failed, the run took too long: failures of what was asked for, told as they are. */
const TOLD_FAILURES = [502, 503, 504];
/** Pages and documents, which are no answers to be judged by a schema. */
const PAGES = /^\/(?:$|metrics|openapi|readiness|invocations\/docs)/;

const contract = readContract();
// Thought of first: it takes seconds.
const wishes = wishesOf(contract.document, PAGES);
const known: KnownIds = { agent_id: ['ceo', 'cfo'], queue: ['aos-orchestration-requests'] };
let container: TestContainer;

/** Remembers the ids that an answer tells. */
function learn(body: JsonObject): void {
  const told = { ...body, run_id: body['run_id'] ?? body['orchestration_id'] ?? body['invocation_id'] ?? null };
  for (const [name, id] of Object.entries(told)) {
    if (!/_(?:id|name)$/.test(name) || typeof id !== 'string') continue;
    known[name] = [...new Set([id, ...(known[name] ?? [])])].slice(0, 20);
  }
}

beforeAll(async () => {
  container = await startTestContainer();
  const make = async (path: string, body: JsonValue) => {
    const response = await fetch(`${container.url}${path}`, { method: 'POST', body: JSON.stringify(body) });
    learn((await response.json()) as JsonObject);
  };
  await make('/api/orchestrations', { agent_ids: ['ceo'], task: { type: 'review' } });
  await make('/api/orchestrations', { agent_ids: ['ceo'], purpose: 'Grow', config: { max_cycles: 1 } });
  await make('/api/v1/aoa/tasks', { task_type: 'agent_run', agent_id: 'ceo', payload: { input: 'x' } });
  await make('/api/v1/aoa/jobs', { name: 'daily', schedule_type: 'daily', hour: 3, task_type: 'health_check' });
  await make('/api/apps/register', { app_name: 'infinity' });
  await make('/invocations', { message: 'Hello', background: true });
});
afterAll(() => container?.[Symbol.asyncDispose]());

/** What is wrong with the answer to a wish; undefined when there was none in time. */
async function faultsOf(wish: Wish): Promise<readonly string[] | undefined> {
  const { method, body, headers } = wish;
  const path = pathOf(wish, known);
  const patience = AbortSignal.timeout(PATIENCE_MS);
  try {
    const init = { method, headers, signal: patience, ...(body !== undefined && { body }) };
    const response = await fetch(`${container.url}${path}`, init);
    const text = await response.text();
    const answer = { status: response.status, headers: response.headers, body: parsed(text) };
    if (response.ok) learn(answer.body);
    const broken = response.status >= 500 && !TOLD_FAILURES.includes(response.status);
    const fault = `${method} ${path} answers ${response.status}: ${text}`;
    return [...(broken ? [fault] : []), ...contract.faults(method, path, answer, text)];
  } catch (failure) {
    if (patience.aborted) return undefined;
    throw failure;
  }
}

function parsed(text: string): JsonObject {
  try {
    return JSON.parse(text) as JsonObject;
  } catch {
    return {};
  }
}

test('whatever is sent, the answer is one that the document declares, and never the server’s fault', async () => {
  let answered = 0;
  await fc.assert(
    fc.asyncProperty(wishes, async (wish) => {
      const faults = await faultsOf(wish);
      if (faults !== undefined) answered++;
      expect(faults ?? []).toEqual([]);
    }),
    { numRuns: 20_000, interruptAfterTimeLimit: BUDGET_MS },
  );
  expect(answered).toBeGreaterThan(100);
}, 120_000);
