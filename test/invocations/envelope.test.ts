import { expect, test } from 'vitest';
import { z } from 'zod';
import { AosError } from '../../src/core/errors.ts';
import { rightsOf } from '../../src/identity/access.ts';
import type { Principal } from '../../src/identity/principal.ts';
import { createEnvelope } from '../../src/invocations/envelope.ts';
import { realize, specify } from '../../src/operations/operation.ts';
import { openEntrance } from '../support/entrance.ts';

const rest = { method: 'POST', path: '/api/v1/aoa/lamps/{id}', status: 201, family: 'detail' } as const;
const input = z.object({ id: z.string(), watt: z.number() });
const output = z.object({ id: z.string(), lit: z.boolean() });
const light = specify({ name: 'lamps.light', summary: 'Light a lamp', input, output, rest });
const burn = specify({ ...light, name: 'lamps.burn' });

const envelope = createEnvelope(
  [
    realize(light, async ({ id, watt }) => ({ id, lit: watt > 0 })),
    realize(burn, async () => {
      throw new AosError('conflict', 'the lamp burns already', { reason: 'LAMP_LIT', facts: { lamp: 'a' } });
    }),
  ],
  openEntrance,
);
const caller = { tenantId: 'default', userId: '' };
const principalAs = (...roles: Principal['roles']): Principal => ({
  caller,
  roles,
  scopes: [],
  rights: rightsOf({ roles, scopes: [] }),
  proof: 'jwt',
  expiresAt: undefined,
  address: '',
});
const perform = (body: Parameters<typeof envelope.perform>[0], principal = principalAs('operator')) =>
  envelope.perform(body, { caller, principal, callId: '', signal: new AbortController().signal });

test('an operation answers what its route answers, with its status', async () => {
  expect(await perform({ operation: 'lamps.light', input: { id: 'a', watt: 5 } })).toEqual({
    operation: 'lamps.light',
    status: 201,
    output: { id: 'a', lit: true },
  });
});

test.each<[object, string]>([
  [{ operation: 'lamps.ligth' }, 'there is no operation "lamps.ligth", did you mean "lamps.light"?'],
  [{ operation: 'lamps.x' }, 'there are: lamps.light, lamps.burn'],
  [{ operation: 'lamps.light', input: { id: 'a' } }, '"watt" is missing'],
  [{ operation: 'lamps.light', inputs: {} }, 'unknown field "inputs", did you mean "input"?'],
  [{ operation: 7 }, '"operation": expected a text, got a number'],
])('%j is refused in words', async (body, words) => {
  await expect(perform(body as never)).rejects.toMatchObject({
    code: 'invalid_request',
    message: expect.stringContaining(words),
  });
});

test('the finer word of a refusal and its facts are details of the error', async () => {
  await expect(perform({ operation: 'lamps.burn', input: { id: 'a', watt: 1 } })).rejects.toMatchObject({
    code: 'conflict',
    details: [{ code: 'LAMP_LIT', message: 'the lamp burns already', lamp: 'a' }],
  });
});

test('an operation refuses a caller whose rights do not reach, before it looks at the input', async () => {
  await expect(
    perform({ operation: 'lamps.light', input: {} }, principalAs('viewer', 'approver')),
  ).rejects.toMatchObject({
    code: 'forbidden',
    message:
      'lamps.light needs the right "write", which operator, admin have; you hold viewer, approver. Ask whoever gives out roles for one of them.',
    details: [expect.objectContaining({ code: 'RIGHT_MISSING', right: 'write' })],
  });
});
