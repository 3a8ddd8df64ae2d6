import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { PlaneConnector } from '../../src/fabric/connector.ts';
import { eventbridge } from '../../src/fabric/eventbridge.ts';
import { connectorCall, connectorParts, failureOf, routedAction } from '../support/connector.ts';
import { type EventBridgeDouble, startEventBridgeDouble } from '../support/eventbridge-double.ts';
import { freePort } from '../support/program.ts';
import { connectorContract } from './connector-contract.ts';

const secrets = { AWS_ID: 'AKIDEXAMPLE', AWS_KEY: 'the-secret', OTHER_ID: 'AKIDOTHER', OTHER_KEY: 'another' };
const keys = { type: 'keys', access_key_id: { $env: 'AWS_ID' }, secret_access_key: { $env: 'AWS_KEY' } };

describe('EventBridge', () => {
  let double: EventBridgeDouble;
  let connector: PlaneConnector;

  beforeEach(async () => {
    double = await startEventBridgeDouble({ AKIDEXAMPLE: 'the-secret' });
    connector = connectorTo({});
  });
  afterEach(async () => {
    await connector.close();
    await double.close();
  });

  function connectorTo(settings: Record<string, unknown>): PlaneConnector {
    const given = { region: 'eu-central-1', base_url: double.url, auth: keys, event_bus: 'aos', ...settings };
    return eventbridge.create(eventbridge.settings.parse(given), connectorParts(secrets), 'event_bus');
  }

  test('puts a command onto the bus as one signed event and says that it is accepted', async () => {
    const call = connectorCall();
    const result = await connector.run(routedAction(), call);
    expect(result).toEqual({
      kind: 'accepted',
      externalId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      data: { event_bus: 'aos', event_id: result.externalId },
      vendorRequestId: 'request-1',
    });
    expect(double.events).toMatchObject([
      { EventBusName: 'aos', Source: 'aos.agent', DetailType: 'aos.commands.crm.customer.update' },
    ]);
    expect(JSON.parse(double.events[0]?.Detail ?? '')).toMatchObject({
      command_id: call.idempotencyKey,
      command_type: 'crm.update',
      payload: { customer_id: 'cust_1042', tier: 'gold' },
    });
  });

  test('calls a lost answer ambiguous and repeats nothing', async () => {
    double.faults.push('after');
    expect(await failureOf(connector.run(routedAction(), connectorCall()))).toMatchObject({
      fault: 'ambiguous',
      vendorCode: 'ECONNRESET',
    });
    expect(double.events).toHaveLength(1);
    expect(double.log).toHaveLength(1);
    expect(connector.dedupes).toBe(false);
    expect(connectorTo({ dedupes: true }).dedupes).toBe(true);
  });

  test.each([
    [{ status: 400, error: 'ThrottlingException' }, 'throttled', 'ThrottlingException'],
    [{ status: 400, error: 'AccessDeniedException' }, 'auth', 'AccessDeniedException'],
    [{ status: 400, error: 'ExpiredTokenException' }, 'auth', 'ExpiredTokenException'],
    [{ status: 400, error: 'ValidationException' }, 'invalid', 'ValidationException'],
    [{ status: 413, error: 'RequestEntityTooLargeException' }, 'too_large', 'RequestEntityTooLargeException'],
    [{ status: 500, error: 'InternalException' }, 'ambiguous', 'HTTP 500'],
    [{ status: 503, error: 'ServiceUnavailable' }, 'ambiguous', 'HTTP 503'],
    [{ entry: 'ThrottlingException' }, 'throttled', 'ThrottlingException'],
    [{ entry: 'InternalFailure' }, 'unavailable', 'InternalFailure'],
    [{ entry: 'MalformedDetail' }, 'invalid', 'MalformedDetail'],
    [{ entry: 'NotAuthorizedForSourceException' }, 'auth', 'NotAuthorizedForSourceException'],
    ['before', 'ambiguous', 'ECONNRESET'],
  ] as const)('classes %j as %s', async (injected, fault, vendorCode) => {
    double.faults.push(injected);
    expect(await failureOf(connector.run(routedAction(), connectorCall()))).toMatchObject({ fault, vendorCode });
    expect(double.log).toHaveLength(1);
    expect(double.events).toEqual([]);
  });

  test('sends no event that is larger than AWS takes', async () => {
    const action = routedAction({ data: { text: 'ä'.repeat(130 * 1024) } });
    expect(await failureOf(connector.run(action, connectorCall()))).toMatchObject({ fault: 'too_large' });
    expect(double.log).toEqual([]);
  });

  test.each([
    ['a key nobody knows', { access_key_id: { $env: 'OTHER_ID' } }, 'UnrecognizedClientException'],
    ['a wrong secret', { secret_access_key: { $env: 'OTHER_KEY' } }, 'InvalidSignatureException'],
    ['a secret that is not set', { secret_access_key: { $env: 'NOBODY_SET_IT' } }, 'NO_SECRET'],
  ])('says auth for %s', async (_what, change, vendorCode) => {
    connector = connectorTo({ auth: { ...keys, ...change } });
    expect(await failureOf(connector.run(routedAction(), connectorCall()))).toMatchObject({
      fault: 'auth',
      vendorCode,
    });
    expect(await connector.health(AbortSignal.timeout(5_000))).toEqual({ status: 'down', detail: vendorCode });
  });

  test('says not_sent when nobody is there', async () => {
    connector = connectorTo({ base_url: `http://127.0.0.1:${await freePort()}` });
    expect(await failureOf(connector.run(routedAction(), connectorCall()))).toMatchObject({
      fault: 'not_sent',
      vendorCode: 'ECONNREFUSED',
    });
    expect(await connector.health(AbortSignal.timeout(5_000))).toEqual({ status: 'down', detail: 'ECONNREFUSED' });
  });

  test.each([
    ['aos', { status: 'healthy' }],
    ['hidden', { status: 'healthy', detail: 'AccessDeniedException' }],
    ['gone', { status: 'degraded', detail: 'ResourceNotFoundException' }],
  ])('tells how the bus %s is', async (bus, health) => {
    expect(await connectorTo({ event_bus: bus }).health(AbortSignal.timeout(5_000))).toEqual(health);
  });

  test("takes no source that is AWS' own", () => {
    expect(eventbridge.settings.safeParse({ region: 'eu-central-1', source: 'aws.s3' }).success).toBe(false);
  });
});

const refusals = [
  { when: 'does not know the signature', fault: 'auth', status: 400, error: 'InvalidSignatureException' },
  { when: 'does not understand the request', fault: 'invalid', status: 400, error: 'ValidationException' },
  { when: 'finds it too large', fault: 'too_large', status: 413, error: 'RequestEntityTooLargeException' },
] as const;
const faults = [
  'breaks off after it took the event',
  'throttles the request',
  'throttles the event',
  'answers 500',
  ...refusals.map(({ when }) => when),
];
connectorContract('the EventBridge connector', faults, async () => {
  const double = await startEventBridgeDouble({ AKIDEXAMPLE: 'the-secret' });
  const given = { region: 'eu-central-1', base_url: double.url, auth: keys, event_bus: 'aos' };
  const next = (fault: EventBridgeDouble['faults'][number]) => void double.faults.push(fault);
  return {
    connector: eventbridge.create(eventbridge.settings.parse(given), connectorParts(secrets), 'event_bus'),
    action: routedAction(),
    kind: 'accepted',
    secrets: ['the-secret', 'AKIDEXAMPLE'],
    keys: () =>
      double.requests
        .filter(({ headers }) => headers['x-amz-target'] === 'AWSEvents.PutEvents')
        .map(({ body }) => /command_id\\":\\"([^\\]+)/.exec(body.toString())?.[1]),
    faults: [
      { when: 'breaks off after it took the event', fault: 'ambiguous', inject: () => next('after') },
      {
        when: 'throttles the request',
        fault: 'throttled',
        inject: () => next({ status: 400, error: 'ThrottlingException' }),
      },
      { when: 'throttles the event', fault: 'throttled', inject: () => next({ entry: 'ThrottlingException' }) },
      { when: 'answers 500', fault: 'ambiguous', inject: () => next({ status: 500, error: 'InternalException' }) },
      ...refusals.map(({ when, fault, status, error }) => ({ when, fault, inject: () => next({ status, error }) })),
    ],
    heal() {
      double.faults.length = 0;
    },
    leave: () => double.close(),
  };
});
