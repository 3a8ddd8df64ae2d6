/** The crash matrix in short: every so-manieth boundary of the work that no other test here kills. */
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { scenarios } from '../../scripts/crash-matrix/scenario.ts';
import { type MatrixServer, startMatrixServer } from '../../scripts/crash-matrix/server.ts';
import { tryScenario } from '../../scripts/crash-matrix/trial.ts';

let server: MatrixServer;

beforeAll(async () => {
  server = await startMatrixServer(inject('postgresUrl'));
});
afterAll(() => server[Symbol.asyncDispose]());

const short = [
  { name: 'graph', every: 16 },
  { name: 'chat-approval', every: 8 },
  { name: 'task-orchestration', every: 16 },
  { name: 'delegation', every: 8 },
  { name: 'chat-delegate', every: 8 },
];

test.each(short)(
  '$name: killed before and after every so-manieth boundary, it leaves what it leaves undisturbed',
  async ({ name, every }) => {
    const scenario = scenarios.find((known) => known.name === name);
    if (scenario === undefined) throw new Error(`there is no scenario ${name}`);
    const { killed, faults, lost, duplicates } = await tryScenario(scenario, { server, every });
    expect(faults).toEqual([]);
    expect({ lost, duplicates }).toEqual({ lost: 0, duplicates: 0 });
    expect(killed.before).toBeGreaterThan(1);
    expect(killed.after).toBeGreaterThan(1);
  },
  120_000,
);
