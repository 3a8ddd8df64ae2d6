/**
 * Two tenants at the doors of one server. One of them, `theirs`, has something of everything, marked by a word, and does
 * nothing; the other one asks for whatever can be asked, with its own ids and with theirs. Nothing of theirs may come
 * out, nothing of theirs may change, and their ids are answered like ids that never were.
 */
import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { systemClock } from '../../src/core/clock.ts';
import type { JsonObject, JsonValue } from '../../src/core/json.ts';
import { readContract } from '../support/api.ts';
import { startTestContainer, type TestContainer } from '../support/container.ts';
import { type KnownIds, pathOf, type Wish, wishesOf } from '../support/wish.ts';

const OURS = 'ours';
const THEIRS = 'theirs';
/** In everything that is theirs and in none of its ids, so that nobody else ever says it. */
const MARK = 'xylophone';
const BUDGET_MS = 12_000;
const PATIENCE_MS = 1_500;
/** What belongs to no tenant. */
const PAGES = /^\/(?:$|metrics|openapi|readiness|invocations\/docs)/;
/** Ids that are the same for everybody. */
const shared: KnownIds = {
  queue: ['aos-orchestration-requests'],
  kind: ['raci', 'policy'],
  capability_id: ['review'],
  tag: ['finance'],
};

const contract = readContract();
// Thought of first: it takes seconds.
const wishes = wishesOf(contract.document, PAGES);
const paths = contract.document['paths'] as Record<string, Record<string, JsonObject>>;
let container: TestContainer;
let owner: pg.Client;
let theirs: KnownIds = {};
let ours: KnownIds = {};
let before = new Map<string, string>();

interface Asked {
  readonly status: number;
  readonly body: JsonObject;
  readonly text: string;
}

async function ask(
  tenant: string,
  method: string,
  path: string,
  body?: JsonValue,
  headers: Record<string, string> = {},
): Promise<Asked> {
  const response = await fetch(`${container.url}${path}`, {
    method,
    headers: { 'x-tenant-id': tenant, accept: 'application/json', ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: parsed(text), text };
}

function parsed(text: string): JsonObject {
  try {
    return JSON.parse(text) as JsonObject;
  } catch {
    return {};
  }
}

/** Looks until it is so. @throws Error when it takes too long */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (let looks = 0; !(await isSo()); looks++) {
    if (looks > 600) throw new Error(`in vain: ${String(isSo)}`);
    await systemClock.sleep(50);
  }
}

/** Gives a tenant something of everything, with the word in all of it. @returns the ids */
async function furnish(tenant: string, word: string): Promise<KnownIds> {
  const make = async (path: string, body: JsonValue, method = 'POST'): Promise<JsonObject> => {
    const { status, body: answer, text } = await ask(tenant, method, path, body);
    if (status >= 300) throw new Error(`${path} answers ${status}: ${text}`);
    return answer;
  };
  const id = (name: string) => `${name}-of-${tenant}`;
  const agent = id('agent');
  await make('/api/agents/register', { agent_id: agent, name: word, purpose: word });
  await make('/api/orchestrations', { orchestration_id: id('run'), agent_ids: ['ceo'], task: { type: word } });
  await make('/api/orchestrations', {
    orchestration_id: id('gate'),
    agent_ids: ['ceo'],
    workflow: 'graph',
    task: { what: word },
    graph: { nodes: [{ id: 'ask', type: 'approval', title: word, action: 'spend', expires_in_seconds: 604_800 }] },
  });
  await make('/api/v1/aoa/tasks', { task_id: id('done'), task_type: 'health_check', payload: { word } });
  const far = new Date(Date.now() + 3_600_000).toISOString();
  await make('/api/v1/aoa/tasks', {
    task_id: id('later'),
    task_type: 'agent_run',
    agent_id: 'ceo',
    scheduled_at: far,
    payload: { input: word },
  });
  const { job_id: job } = await make('/api/v1/aoa/jobs', {
    name: word,
    schedule_type: 'once',
    run_at: far,
    task_type: 'health_check',
    payload: { word },
  });
  await make('/api/apps/register', { app_name: id('app'), workflows: [word] });
  const { document_id: document } = await make('/api/knowledge/documents', {
    title: word,
    doc_type: 'policy',
    content: { text: word },
  });
  const { risk_id: risk } = await make('/api/risks', { title: word, category: 'operational', owner: 'coo' });
  await make('/api/audit/decisions', { title: word, decision_type: 'pricing', agent_id: 'cfo' });
  const budget = { scope: 'agent', dimension: 'cost_usd', window: 'month', limit: 50, agent_id: 'ceo' };
  await make(`/api/v1/governance/budgets/${id('budget')}`, budget, 'PUT');
  await make('/api/metrics', { name: id('metric'), value: 7, tags: { word } });
  await make(`/api/v1/aoa/sessions/${id('session')}/documents`, { title: word, content: word });
  const { action_id: action } = await make('/api/v1/fabric/actions', {
    target_system: 'crm',
    action_type: 'update',
    entity_id: word,
    data: { word },
  });
  const { invocation_id: invocation } = await make('/invocations', { message: word, background: true });
  await owner.query(
    `insert into aos.outbox (id, tenant_id, user_id, kind, subject, url, origin, headers, body, dedupe_key, created_at,
       next_attempt_at, dead_at) values ($1, $2, '', 'callback', $3, $3, $3, '{}', $3, $1, now(), now(), now())`,
    [id('msg'), tenant, word],
  );
  const told = async (path: string, member: string) => (await ask(tenant, 'GET', path)).body[member];
  await until(async () => (await told(`/api/orchestrations/${id('run')}`, 'status')) === 'completed');
  await until(async () => (await told(`/api/v1/aoa/tasks/${id('done')}`, 'status')) === 'completed');
  await until(async () => (await told(`/invocations/${String(invocation)}`, 'status')) === 'completed');
  await until(async () => (await told('/api/v1/approvals', 'total')) === 1);
  const { message_id: message } = await make('/api/v1/a2a/messages', {
    type: 'PING',
    from_agent: agent,
    to_agent: 'cfo',
  });
  const { context_id: context } = await make('/api/v1/a2a/context', {
    from_agent: agent,
    to_agent: 'cfo',
    context: { word },
  });
  const { delegation_id: delegation } = await make(`/api/v1/a2a/agents/${agent}/delegate`, {
    to_agent: 'cfo',
    input: word,
  });
  await until(async () =>
    /completed|failed/.test(String(await told(`/api/v1/a2a/delegations/${String(delegation)}`, 'status'))),
  );
  const approvals = (await ask(tenant, 'GET', '/api/v1/approvals')).body['items'] as JsonObject[];
  const runs = (await ask(tenant, 'GET', '/api/v1/aoa/runs')).body['items'] as JsonObject[];
  const texts = (...values: unknown[]) => values.map(String);
  return {
    run_id: runs.map((run) => String(run['run_id'])),
    orchestration_id: [id('run'), id('gate')],
    task_id: [id('done'), id('later')],
    job_id: texts(job),
    app_name: [id('app')],
    document_id: texts(document),
    risk_id: texts(risk),
    invocation_id: texts(invocation),
    session_id: [id('session')],
    approval_id: texts(approvals[0]?.['approval_id'] ?? approvals[0]?.['id']),
    agent_id: [agent],
    delivery_id: [id('msg')],
    id: [id('budget')],
    message_id: texts(message),
    context_id: texts(context),
    delegation_id: texts(delegation),
    action_id: texts(action),
    plane_id: [`direct:${tenant}`],
  };
}

/** Every row of theirs, as text, by table. */
async function rowsOfTheirs(): Promise<Map<string, string>> {
  const { rows: tables } = await owner.query<{ name: string }>(`
    select c.relname as name from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'
     where c.relnamespace = 'aos'::regnamespace and c.relkind = 'r' order by 1`);
  const found = new Map<string, string>();
  for (const { name } of tables) {
    // That the server looks at planes now and then is nobody's doing.
    const row = name === 'fabric_planes' ? `(t.plane, t.status, t.detail, t.changed_at)::text` : 't::text';
    const { rows } = await owner.query<{ rows: string | null }>(
      `select string_agg(${row}, E'\\n' order by ${row}) as rows from aos.${name} t where tenant_id = $1`,
      [THEIRS],
    );
    if (rows[0]?.rows != null) found.set(name, rows[0].rows);
  }
  return found;
}

beforeAll(async () => {
  container = await startTestContainer();
  owner = new pg.Client({ connectionString: container.databaseUrl });
  await owner.connect();
  theirs = await furnish(THEIRS, MARK);
  ours = await furnish(OURS, 'harmonica');
  // What happened to them has its place in their audit log, so that nothing of theirs moves by itself any more.
  await until(async () => {
    await ask(THEIRS, 'GET', '/api/v1/aoa/audit?limit=1');
    return !(await rowsOfTheirs()).has('audit_facts');
  });
  before = await rowsOfTheirs();
});
afterAll(async () => {
  await owner?.end();
  await container?.[Symbol.asyncDispose]();
});

const members = (template: string) => [...template.matchAll(/\{(\w+)\}/g)].map(([, name]) => String(name));

/** Routes that name something of a tenant in their path, by method and template. */
const routes = Object.entries(paths)
  .filter(([template]) => !PAGES.test(template) && members(template).some((name) => !(name in shared)))
  .flatMap(([template, methods]) =>
    Object.keys(methods)
      .filter((method) => /^(get|post|put|patch|delete)$/.test(method))
      .map((method) => [method.toUpperCase(), template] as const),
  );

/** The body of the example, when there is one. */
function exampleOf(method: string, template: string): JsonValue | undefined {
  const operation = paths[template]?.[method.toLowerCase()] as
    | { requestBody?: { content?: Record<string, { example?: JsonValue }> } }
    | undefined;
  if (operation?.requestBody === undefined) return undefined;
  return operation.requestBody.content?.['application/json']?.example ?? {};
}

/** The path with these ids; a member that stands for nothing of a tenant's keeps a value of its own. */
function fill(template: string, ids: KnownIds): string {
  return template.replace(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(ids[name]?.[0] ?? shared[name]?.[0] ?? (name === 'sha256' ? '0'.repeat(64) : `no-${name}`)),
  );
}

describe('the id of another tenant', () => {
  it.each(routes)('is answered at %s %s like one that never was', async (method, template) => {
    const never: KnownIds = Object.fromEntries(
      Object.entries(theirs).map(([name, [id = '']]) => [name, [id.replace(/[a-z]/g, 'q')]]),
    );
    const body = exampleOf(method, template);
    for (const accept of ['application/json', 'text/event-stream']) {
      if (accept !== 'application/json' && method !== 'GET') continue;
      const patience = AbortSignal.timeout(PATIENCE_MS);
      const asked = async (ids: KnownIds) => {
        const response = await fetch(`${container.url}${fill(template, ids)}`, {
          method,
          signal: patience,
          headers: { 'x-tenant-id': OURS, accept },
          ...(body !== undefined && { body: JSON.stringify(body) }),
        });
        let text = await response.text();
        // What it says of the id is the id itself.
        for (const name of members(template)) {
          const [id] = ids[name] ?? [];
          if (id !== undefined) text = text.replaceAll(id, `{${name}}`);
        }
        return { status: response.status, text };
      };
      const [real, unreal] = [await asked(theirs), await asked(never)];
      expect(real.text).not.toContain(MARK);
      expect(real.status).toBe(unreal.status);
      // What is made under an id of the caller's choice has ids and times of its own.
      if (real.status >= 300 || method === 'GET') {
        const steady = (text: string) =>
          text.replace(/"(trace_id|request_id|timestamp|at|[a-z_]+_at|id)":"[^"]*"/g, '');
        expect(steady(real.text)).toBe(steady(unreal.text));
      }
    }
  });

  it('names something of theirs in every path there is', () => {
    const unknown = routes
      .flatMap(([, template]) => members(template))
      .filter((name) => !(name in theirs || name in shared));
    // Of these nothing can be furnished: the servers of tools and the content of events.
    expect([...new Set(unknown)].toSorted()).toEqual(['server', 'sha256', 'tool']);
  });

  it('has changed nothing of theirs', async () => {
    expect(await rowsOfTheirs()).toEqual(before);
  });
});

/** Every frame about a run on a WebSocket, and what comes of it. */
async function overSocket(tenant: string, id: string): Promise<string[]> {
  const socket = new WebSocket(`${container.url.replace('http', 'ws')}/invocations_ws`, {
    headers: { 'x-tenant-id': tenant },
  });
  const answers: string[] = [];
  let news = Promise.withResolvers<void>();
  socket.on('message', (data) => {
    answers.push(String(data).replaceAll(id, '{id}'));
    news.resolve();
    news = Promise.withResolvers();
  });
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  const frames = ['get', 'follow', 'cancel', 'unfollow'];
  for (const [index, type] of frames.entries()) {
    socket.send(JSON.stringify({ type, request_id: `r${index}`, invocation_id: id }));
    while (answers.length <= index) await news.promise;
  }
  socket.close();
  return answers;
}

describe('a WebSocket', () => {
  it('knows nothing of the runs of another tenant', async () => {
    const [id = ''] = theirs['invocation_id'] ?? [];
    const answers = await overSocket(OURS, id);
    expect(answers).toEqual(await overSocket(OURS, id.replace(/[a-f]/g, '0').replace(/.$/, 'e')));
    expect(answers.every((answer) => answer.includes('"error"'))).toBe(true);
    expect(answers.some((answer) => answer.includes('not_found'))).toBe(true);
    expect(await rowsOfTheirs()).toEqual(before);
  });
});

describe('whatever a tenant asks for', () => {
  it('it sees and changes nothing of another', async () => {
    const mixed: KnownIds = Object.fromEntries(
      Object.keys({ ...theirs, ...shared }).map((name) => [
        name,
        [...(theirs[name] ?? []), ...(ours[name] ?? []), ...(shared[name] ?? [])],
      ]),
    );
    const secrets = [MARK, ...Object.values(theirs).flat()].filter((id) => id.length > 8);
    let answered = 0;
    let said = '';
    await fc.assert(
      fc.asyncProperty(wishes, async (wish: Wish) => {
        const path = pathOf(wish, mixed);
        const headers = { ...wish.headers, 'x-tenant-id': OURS };
        const patience = AbortSignal.timeout(PATIENCE_MS);
        const text = await fetch(`${container.url}${path}`, {
          method: wish.method,
          headers,
          signal: patience,
          ...(wish.body !== undefined && { body: wish.body }),
        })
          .then((response) => response.text())
          .catch((failure: unknown) => {
            if (patience.aborted) return '';
            throw failure;
          });
        if (text !== '') answered++;
        // What was once asked with is no news.
        said += decodeURIComponent(path) + (wish.body ?? '');
        const leaked = secrets.filter((secret) => !said.includes(secret) && text.includes(secret));
        expect(leaked, `${wish.method} ${path} answers ${text.slice(0, 500)}`).toEqual([]);
      }),
      { seed: 20_261_130, numRuns: 20_000, interruptAfterTimeLimit: BUDGET_MS },
    );
    expect(answered).toBeGreaterThan(50);
    expect(await rowsOfTheirs()).toEqual(before);
  }, 60_000);
});

describe('an id that another tenant uses', () => {
  /** What a tenant is told of a run of that id, by every door that knows it. */
  const told = async (tenant: string, id: string) => {
    const texts = [
      await ask(tenant, 'GET', `/api/orchestrations/${id}`),
      await ask(tenant, 'GET', `/api/v1/aoa/runs/${id}/events`),
      await ask(tenant, 'GET', `/invocations/${id}`),
    ];
    return texts.map(({ text }) => text).join('\n');
  };

  it('is free for one’s own run, and neither run is told of the other', async () => {
    const asked = { orchestration_id: `run-of-${THEIRS}`, agent_ids: ['ceo'], task: { type: 'trombone' } };
    expect((await ask(OURS, 'POST', '/api/orchestrations', asked)).status).toBe(202);
    await until(async () => (await told(OURS, asked.orchestration_id)).includes('"completed"'));
    const own = await told(OURS, asked.orchestration_id);
    expect(own).toContain('trombone');
    expect(own).not.toContain(MARK);
    expect(await told(THEIRS, asked.orchestration_id)).toContain(MARK);
    expect(await ask(OURS, 'POST', '/api/orchestrations', { ...asked, task: { type: 'other' } })).toMatchObject({
      status: 409,
    });
    expect(await rowsOfTheirs()).toEqual(before);
  });

  it('has questions, decisions and an end of its own', async () => {
    const id = `gate-of-${THEIRS}`;
    const gate = {
      orchestration_id: id,
      agent_ids: ['ceo'],
      workflow: 'graph',
      task: { what: 'trombone' },
      graph: { nodes: [{ id: 'ask', type: 'approval', title: 'trombone', action: 'spend', expires_in_seconds: 600 }] },
    };
    const open = async (tenant: string) => {
      const { body } = await ask(tenant, 'GET', `/api/v1/approvals?run_id=${id}&status=pending`);
      return (body['items'] ?? []) as JsonObject[];
    };
    expect((await ask(OURS, 'POST', '/api/orchestrations', gate)).status).toBe(202);
    await until(async () => (await open(OURS)).length === 1);
    const [[mine], [other]] = [await open(OURS), await open(THEIRS)];
    expect(mine?.['id']).not.toBe(other?.['id']);
    const decided = await ask(OURS, 'POST', `/api/v1/approvals/${String(mine?.['id'])}/approve`, {
      by: 'ann',
    });
    expect(decided.status).toBe(200);
    await until(async () => (await told(OURS, id)).includes('"completed"'));
    expect(await open(THEIRS)).toHaveLength(1);
    expect(await rowsOfTheirs()).toEqual(before);
  });
});

describe('users of one tenant', () => {
  it('do not see one another’s runs, tasks, jobs, sessions and invocations', async () => {
    const as = (user: string) => ({ 'x-agent-user-id': user });
    const make = async (path: string, body: JsonValue): Promise<JsonObject> => {
      const { status, body: answer, text } = await ask(OURS, 'POST', path, body, as('ann'));
      if (status >= 300) throw new Error(`${path} answers ${status}: ${text}`);
      return answer;
    };
    const far = new Date(Date.now() + 3_600_000).toISOString();
    const word = 'trombone';
    const run = await make('/api/orchestrations', { agent_ids: ['ceo'], task: { type: word } });
    const task = await make('/api/v1/aoa/tasks', { task_type: 'health_check', scheduled_at: far, payload: { word } });
    const job = await make('/api/v1/aoa/jobs', {
      name: word,
      schedule_type: 'once',
      run_at: far,
      task_type: 'health_check',
    });
    const chat = await make('/invocations', { message: word, background: true });
    await make('/api/v1/aoa/sessions/hers/documents', { title: word, content: word });
    const hers = [
      `/api/orchestrations/${String(run['orchestration_id'])}`,
      `/api/v1/aoa/runs/${String(run['orchestration_id'])}/events`,
      `/api/v1/aoa/tasks/${String(task['task_id'])}`,
      `/api/v1/aoa/jobs/${String(job['job_id'])}`,
      `/invocations/${String(chat['invocation_id'])}`,
    ];
    for (const path of hers) {
      expect((await ask(OURS, 'GET', path, undefined, as('ann'))).status, path).toBe(200);
      expect((await ask(OURS, 'GET', path, undefined, as('bob'))).status, path).toBe(404);
    }
    for (const path of [
      '/api/orchestrations',
      '/api/v1/aoa/runs',
      '/api/v1/aoa/tasks',
      '/api/v1/aoa/jobs',
      '/api/v1/aoa/sessions',
      '/api/v1/aoa/sessions/hers/documents',
      '/api/v1/aoa/events',
    ]) {
      expect((await ask(OURS, 'GET', path, undefined, as('bob'))).text, path).not.toContain(word);
    }
  });
});

describe('the feed of a tenant', () => {
  it('tells nothing of another one, while both are at work', async () => {
    const stop = new AbortController();
    const response = await fetch(`${container.url}/api/v1/aoa/events`, {
      headers: { 'x-tenant-id': OURS, accept: 'text/event-stream' },
      signal: stop.signal,
    });
    const work = (tenant: string, id: string) =>
      ask(tenant, 'POST', '/api/v1/aoa/tasks', { task_id: id, task_type: 'health_check', payload: {} });
    for (let round = 0; round < 5; round++) {
      await work(THEIRS, `watched-of-theirs-${round}`);
      await work(OURS, `watched-of-ours-${round}`);
    }
    let heard = '';
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      heard += decoder.decode(chunk, { stream: true });
      // The last of ours has ended, so all of theirs was there to be told.
      if (/task\.completed[^\n]*\n[^\n]*watched-of-ours-4|watched-of-ours-4[^\n]*task\.completed/.test(heard)) break;
    }
    stop.abort();
    expect(heard).not.toContain('of-theirs');
  });
});
