/**
 * Client programs that have made themselves known. Queue and topic names are those of the seed systems; their transport
 * is not spoken here, so there is no connection string to hand out: messages come in by `POST /api/queues/{queue}/messages`.
 */
import { z } from 'zod';
import { AosError } from '../core/errors.ts';
import { newUuid } from '../core/ids.ts';
import type { JsonObject } from '../core/json.ts';
import { freeForm, givenName, time } from './field.ts';
import { type Operation, realize, specify } from './operation.ts';
import type { KeptRecord, RecordStore } from './record-store.ts';

/** The queue that orchestrations may be submitted through. */
export const REQUEST_QUEUE = 'aos-orchestration-requests';
const RESULT_TOPIC = 'aos-orchestration-results';

const registration = z
  .object({
    app_name: z.string(),
    app_id: z.string(),
    workflows: z.array(z.string()),
    request_queue: z.string(),
    result_topic: z.string(),
    result_subscription: z.string(),
    status: z.literal('provisioned'),
    provisioned_resources: freeForm,
    service_bus_connection_string: z.null().meta({ description: 'Never given out' }),
    created_at: time,
  })
  .meta({ id: 'AppRegistration', description: 'A client program that is registered' });

const example = {
  app_name: 'business-infinity',
  app_id: 'app-1',
  workflows: ['strategic_review'],
  request_queue: REQUEST_QUEUE,
  result_topic: RESULT_TOPIC,
  result_subscription: 'business-infinity',
  status: 'provisioned',
  provisioned_resources: {},
  service_bus_connection_string: null,
  created_at: '2026-02-01T10:00:00.000Z',
};

export const registerApp = specify({
  name: 'apps.register',
  summary: 'Register a client program',
  input: z.object({
    app_name: givenName,
    app_id: z.string().max(200).nullish(),
    workflows: z
      .array(z.union([z.string().max(200), freeForm]))
      .max(200)
      .default([]),
  }),
  output: registration,
  rest: { method: 'POST', path: '/api/apps/register', status: 201, family: 'flat' },
  example: { input: { app_name: 'business-infinity', workflows: ['strategic_review'] }, output: example },
});

export const listApps = specify({
  name: 'apps.list',
  summary: 'The client programs that are registered',
  input: z.object({}),
  output: z.object({ apps: z.array(registration) }),
  rest: { method: 'GET', path: '/api/apps', status: 200, family: 'flat' },
  example: { output: { apps: [example] } },
});

export const getApp = specify({
  name: 'apps.get',
  summary: 'One client program',
  input: z.object({ app_name: givenName }),
  output: registration,
  rest: {
    method: 'GET',
    path: '/api/apps/{app_name}',
    aliases: ['/api/apps/{app_name}/status'],
    status: 200,
    family: 'flat',
  },
  errors: ['not_found'],
  example: { output: example },
});

export const removeApp = specify({
  name: 'apps.remove',
  summary: 'Forget a client program',
  input: z.object({ app_name: givenName }),
  output: z.object({}),
  rest: { method: 'DELETE', path: '/api/apps/{app_name}', status: 204, family: 'flat' },
  errors: ['not_found'],
});

export const appSpecs = [registerApp, listApps, getApp, removeApp];

export function createAppOperations({ records }: { records: RecordStore }): readonly Operation[] {
  const missing = (name: string) =>
    new AosError('not_found', `App '${name}' not registered`, { reason: 'APP_NOT_REGISTERED' });

  return [
    realize(registerApp, async (asked, { caller }) => {
      const { app_name: name, app_id: id } = asked;
      const before = await records.find(caller.tenantId, 'app', name);
      const workflows = asked.workflows.map((workflow) => (typeof workflow === 'string' ? workflow : nameOf(workflow)));
      const data = { app_id: id ?? before?.data['app_id'] ?? newUuid(), workflows };
      return viewApp(await records.put(caller.tenantId, 'app', name, data));
    }),
    realize(listApps, async (_input, { caller }) => {
      const { items } = await records.list(caller.tenantId, 'app', 500);
      return { apps: items.map(viewApp) };
    }),
    realize(getApp, async ({ app_name: name }, { caller }) => {
      const record = await records.find(caller.tenantId, 'app', name);
      if (record === undefined) throw missing(name);
      return viewApp(record);
    }),
    realize(removeApp, async ({ app_name: name }, { caller }) => {
      if (!(await records.remove(caller.tenantId, 'app', name))) throw missing(name);
      return {};
    }),
  ];
}

function nameOf(workflow: Record<string, unknown>): string {
  return String(workflow['name'] ?? workflow['workflow'] ?? 'unnamed');
}

function viewApp({ id, data, createdAt }: KeptRecord): z.infer<typeof registration> {
  const { workflows } = data as JsonObject & { workflows: string[] };
  return {
    app_name: id,
    app_id: String(data['app_id']),
    workflows,
    request_queue: REQUEST_QUEUE,
    result_topic: RESULT_TOPIC,
    result_subscription: id,
    status: 'provisioned',
    provisioned_resources: {},
    service_bus_connection_string: null,
    created_at: createdAt,
  };
}
