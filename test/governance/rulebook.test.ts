/** Rules, decisions and notices on the database. */
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { createOutbox } from '../../src/egress/outbox.ts';
import { createDecisionStore } from '../../src/governance/decision-store.ts';
import { loadConditions } from '../../src/governance/policy/condition.ts';
import { createMatrix, matrixSchema } from '../../src/governance/raci/matrix.ts';
import { createNotices } from '../../src/governance/raci/notice.ts';
import { createRulebook, type Rulebook } from '../../src/governance/rulebook.ts';
import type { Database } from '../../src/store/database.ts';
import { openTestDatabase } from '../support/database.ts';
import { blueprint, testGovernor, testPolicy, testProposal } from '../support/governance.ts';
import { silentLog } from '../support/log.ts';
import { MemoryRun } from '../support/run-scope.ts';

let database: Database;
const conditions = await loadConditions();

beforeAll(async () => {
  database = await openTestDatabase();
});
beforeEach(async () => {
  await database.db.deleteFrom('outbox').execute();
  await database.db.deleteFrom('governance_documents').execute();
});
afterAll(() => database.close());

const books: Rulebook[] = [];
afterAll(() => {
  for (const book of books) book.stop();
});

async function open(actions: readonly string[] = ['tool:calculator']): Promise<Rulebook> {
  const rules = { matrix: blueprint, policy: testPolicy() };
  const book = createRulebook({ database, rules, conditions, actions, clock: systemClock, log: silentLog });
  books.push(book);
  await book.start();
  return book;
}

const policy = (name: string): JsonObject => ({ version: 1, name, rules: [] });
const nameOf = (book: Rulebook, tenant: string) => book.of(tenant).policy.document.name;

describe('the rulebook', () => {
  it('holds for a tenant what it was given, for others what the server has, and keeps every version', async () => {
    const book = await open();
    await book.replace('acme', 'policy', policy('one'), 'user:ann');
    await book.replace('acme', 'policy', policy('two'), 'user:bob');
    expect([nameOf(book, 'acme'), nameOf(book, 'other')]).toEqual(['two', 'test']);
    expect(book.of('acme').matrix).toBe(blueprint);
    expect(await book.history('acme', 'policy', 10)).toMatchObject([
      { writtenBy: 'user:bob', content: { name: 'two' } },
      { writtenBy: 'user:ann', content: { name: 'one' } },
    ]);
  });

  it('is the same after a start, and in another process a moment later', async () => {
    const [here, there] = [await open(), await open()];
    await here.replace('acme', 'policy', policy('new'), 'user:ann');
    await vi.waitFor(() => expect(nameOf(there, 'acme')).toBe('new'));
    expect(nameOf(await open(), 'acme')).toBe('new');
  });

  it('goes on with what held when a stored document is none any more', async () => {
    const book = await open();
    const document = {
      version: 1,
      parties: { Ops: { people: ['dana'] } },
      activities: [{ name: 'tools', actions: ['tool:*'], responsible: ['Ops'], accountable: 'Ops' }],
    };
    await book.replace('acme', 'raci', document, 'user:ann');
    // A later version of the server has an action that the tenant's matrix says nothing of.
    const later = await open(['tool:calculator', 'fabric:crm:read']);
    expect(later.of('acme').matrix).toBe(blueprint);
  });
});

describe('the informed', () => {
  const matrix = createMatrix(
    matrixSchema.parse({
      version: 1,
      parties: { Ops: { people: ['*'] }, Auditor: { webhook: 'https://auditor.example/aos' }, Quiet: {} },
      activities: [
        { name: 'all', actions: ['*'], responsible: ['Ops'], accountable: 'Ops', informed: ['Auditor', 'Quiet'] },
      ],
    }),
  );
  const outbox = () => createOutbox({ database, clock: systemClock });
  const inform = () => createNotices({ database, outbox: outbox(), matrixOf: () => matrix, clock: systemClock });
  const messages = () => database.db.selectFrom('outbox').selectAll().execute();
  const allowing = testPolicy({ rules: [{ id: 'all', effect: 'allow', reason: 'All is well.' }] });

  async function judge(run: MemoryRun, parts: Parameters<typeof testGovernor>[0] = {}): Promise<void> {
    const governor = testGovernor({ matrix, policy: allowing, inform: inform(), ...parts });
    await run.execute(async (scope) => {
      await governor.allow(scope, testProposal());
      return {};
    });
  }

  it('are told once in a CloudEvents envelope without arguments, however often the run is executed', async () => {
    const run = new MemoryRun({});
    await judge(run);
    await judge(run);
    const [message, ...others] = await messages();
    expect(others).toEqual([]);
    expect(message).toMatchObject({
      kind: 'notice',
      url: 'https://auditor.example/aos',
      headers: { 'content-type': 'application/cloudevents+json; charset=utf-8' },
    });
    const envelope = JSON.parse(message?.body ?? '') as JsonObject;
    expect(envelope).toMatchObject({
      specversion: '1.0',
      type: 'aos.governance.decided.v1',
      source: `/runs/${run.run.id}`,
      subject: 'fabric:erp:update',
      data: { verdict: 'allow', accountable: 'Ops', informed: 'Auditor' },
    });
    expect(message?.body).not.toContain('I-7');
  });

  it('are told of what was denied', async () => {
    await judge(new MemoryRun({}), { policy: testPolicy() });
    expect(JSON.parse((await messages())[0]?.body ?? '')).toMatchObject({ data: { verdict: 'deny' } });
  });

  it('are told once when the process died after they were', async () => {
    const run = new MemoryRun({});
    const governor = testGovernor({ matrix, policy: allowing, inform: inform() });
    await run.execute(
      async (scope) => {
        await governor.allow(scope, testProposal());
        return {};
      },
      { death: { at: 'before-step-stored', nth: 1 } },
    );
    await judge(run);
    expect(await messages()).toHaveLength(1);
  });
});

it('keeps what was decided where there is no run, for the tenant only', async () => {
  const decisions = createDecisionStore({ database });
  const governor = testGovernor({ keep: decisions.add });
  const caller = { tenantId: 'acme', userId: 'ann' };
  await governor.allow({ caller }, testProposal());
  const operator = { tenantId: 'acme', userId: '' };
  expect(await decisions.list(operator, { limit: 10 })).toMatchObject([
    { verdict: 'deny', tenantId: 'acme', runId: null },
  ]);
  expect(await decisions.list(caller, { limit: 10 })).toHaveLength(1);
  expect(await decisions.list({ tenantId: 'acme', userId: 'bob' }, { limit: 10 })).toEqual([]);
  expect(await decisions.list({ tenantId: 'other', userId: '' }, { limit: 10 })).toEqual([]);
  expect(await decisions.accountable(operator, { target: 'erp' })).toMatchObject([
    { accountable: 'Security', denied: 1 },
  ]);
});
