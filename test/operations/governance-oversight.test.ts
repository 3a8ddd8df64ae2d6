/** Whose decisions are made again, and through which planes, in a container in production with keys and planes. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { JsonObject } from '../../src/core/json.ts';
import { makeApiKey } from '../../src/identity/api-key.ts';
import { type ApiClient, createApiClient } from '../support/api.ts';
import { startTestContainer, type TestContainer } from '../support/container.ts';
import { anyProxy, simulatedPlane } from '../support/fabric-run.ts';

const WHAT_IF = '/api/v1/governance/what-if';
const keys = {
  ann: makeApiKey({ name: 'ann', user: 'ann', tenant: 'acme', roles: ['operator'] }),
  bob: makeApiKey({ name: 'bob', user: 'bob', tenant: 'acme', roles: ['operator'] }),
  root: makeApiKey({ name: 'root', user: 'root', tenant: 'acme', roles: ['admin'] }),
};
const by = (person: keyof typeof keys) => ({ 'x-api-key': keys[person].key });
const policy = (effect: string): JsonObject => ({
  version: 1,
  name: 'ours',
  rules: [
    { id: 'crm', effect, actions: ['fabric:crm:*'], reason: 'So it is.' },
    { id: 'work', effect: 'allow', actions: ['task:*', 'admin:*'], reason: 'Work may be submitted.' },
  ],
});

let folder: string;
let container: TestContainer;
let api: ApiClient;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aos-what-if-'));
  const [fabricFile, policyFile] = [join(folder, 'fabric.json'), join(folder, 'policy.json')];
  // Preset 4 would have changes go by an event bus, and there is none.
  const planes = { ipaas: simulatedPlane({}), api_gateway: simulatedPlane({}, anyProxy) };
  await writeFile(fabricFile, JSON.stringify({ preset: 'ipaas', planes }));
  await writeFile(policyFile, JSON.stringify(policy('allow')));
  container = await startTestContainer({
    runtime: {
      environment: 'production',
      governance: { enforced: true, policyFile, raciFile: undefined },
      fabricFile,
      identity: {
        mode: 'api-key',
        file: undefined,
        text: JSON.stringify(Object.values(keys).map(({ record }) => record)),
      },
      listenEverywhere: true,
    },
  });
  api = createApiClient(container.url);
  const action = { action_id: 'a1', target_system: 'crm', action_type: 'update', entity_id: 'c1' };
  expect((await api.post('/api/v1/fabric/actions', action, by('ann'))).status).toBe(202);
  const look = async () => (await api.get('/api/v1/fabric/actions/a1', by('ann'))).body['status'];
  await vi.waitFor(async () => expect(await look()).toBe('completed'), 10_000);
});
afterAll(async () => {
  await container?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

test('an administrator has the decisions of everybody made again, anybody else his own', async () => {
  const asked = { policy: policy('deny') };
  const blocked = [{ action: 'fabric:crm:update', before: 'allow', after: 'deny' }];
  expect((await api.post(WHAT_IF, asked, by('root'))).body).toMatchObject({ newly_blocked: blocked });
  expect((await api.post(WHAT_IF, asked, by('ann'))).body).toMatchObject({ newly_blocked: blocked });
  expect((await api.post(WHAT_IF, asked, by('bob'))).body).toMatchObject({ decided: 0, newly_blocked: [] });
});

test('a preset goes by any of its names, and actions to the first plane that carries them', async () => {
  const rerouted = async (preset: string) => (await api.post(WHAT_IF, { preset }, by('root'))).body['rerouted'];
  expect(await rerouted('preset_7_gateway')).toMatchObject([
    { action: 'fabric:crm:update', before: 'ipaas', after: 'api_gateway' },
  ]);
  expect(await rerouted('event_bus')).toEqual([]);
  expect(await api.post(WHAT_IF, { preset: 'mesh' }, by('root'))).toMatchObject({
    status: 422,
    body: { code: 'UNKNOWN_PRESET' },
  });
});
