import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { Database } from '../../src/store/database.ts';
import { createTaskSettings, defaultTaskSettings, limitOf } from '../../src/tasks/task-settings.ts';
import { openTestDatabase } from '../support/database.ts';

let database: Database;
beforeAll(async () => {
  database = await openTestDatabase();
});
afterAll(() => database.close());
beforeEach(async () => {
  await database.db.deleteFrom('task_limits').execute();
  await database.db.deleteFrom('task_settings').execute();
});

const limits = async () =>
  (await database.db.selectFrom('task_limits').selectAll().orderBy('kind').orderBy('name').execute()).map(
    ({ kind, name, max }) => `${kind} ${name} ${max}`,
  );

it('are what the process was started with until somebody changes them', async () => {
  const settings = createTaskSettings(database, { max_workers: 4 });
  expect(await settings.load()).toEqual({ ...defaultTaskSettings, max_workers: 4 });
  expect(await limits()).toEqual([]);
});

it('change for all processes, each change on top of the ones before', async () => {
  const one = createTaskSettings(database);
  const other = createTaskSettings(database);
  await one.change({ aging_seconds: 60, limits: { agent: { names: { ceo: 2, cfo: 1 } } } });
  await other.change({ limits: { agent: { default: 5, names: { cfo: null } }, tenant: { names: { acme: 7 } } } });
  const now = await one.load();
  expect(now).toEqual(other.current());
  expect(now.aging_seconds).toBe(60);
  expect(now.limits.agent).toEqual({ default: 5, names: { ceo: 2 } });
  expect(await limits()).toEqual(['agent  5', 'agent ceo 2', 'tenant acme 7']);
  expect(['ceo', 'cfo', 'constructor'].map((name) => limitOf(now.limits.agent, name))).toEqual([2, 5, 5]);
});

it('follow what a process is started with wherever nobody changed them', async () => {
  await createTaskSettings(database, { max_workers: 4 }).change({ aging_seconds: 60 });
  const restarted = createTaskSettings(database, { max_workers: 20 });
  expect(await restarted.load()).toMatchObject({ max_workers: 20, aging_seconds: 60 });
});

it('bring limits given at the start into the table that claims read', async () => {
  await createTaskSettings(database, { limits: { agent: { default: 3 } } }).load();
  expect(await limits()).toEqual(['agent  3']);
});

it('are refused when they do not hold together, and stay as they were', async () => {
  const settings = createTaskSettings(database);
  await expect(settings.change({ min_workers: 5, max_workers: 4 })).rejects.toMatchObject({ code: 'invalid_request' });
  await expect(settings.change({ initial_workers: 11 })).rejects.toMatchObject({ code: 'invalid_request' });
  expect(settings.current()).toEqual(defaultTaskSettings);
});

it('survive two changes at once', async () => {
  const stores = Array.from({ length: 8 }, () => createTaskSettings(database));
  await Promise.all(
    stores.map((store, index) => store.change({ limits: { agent: { names: { [`a${index}`]: index + 1 } } } })),
  );
  expect(Object.keys((await createTaskSettings(database).load()).limits.agent.names)).toHaveLength(8);
});

it('move the number of workers to begin with when new bounds leave it outside', async () => {
  const settings = createTaskSettings(database);
  expect(await settings.change({ min_workers: 4 })).toMatchObject({ initial_workers: 4 });
  expect(await settings.change({ min_workers: 1, max_workers: 1 })).toMatchObject({ initial_workers: 1 });
});
