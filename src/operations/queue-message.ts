/**
 * The door for messages: the envelope the seed system's clients put on its queue, taken over HTTP. What is in it is
 * submitted as if it had been sent to the orchestration API; results go to callbacks.
 */
import { z } from 'zod';
import { AosError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import { REQUEST_QUEUE } from './app.ts';
import { freeForm, givenName, protocolId } from './field.ts';
import { type Operation, realize, specify } from './operation.ts';

export const sendMessage = specify({
  name: 'queues.send',
  summary: 'Submit an orchestration as a message',
  description: `The only queue is ${REQUEST_QUEUE}. The payload is what POST /api/orchestrations takes, bare or in its envelope.`,
  input: z.looseObject({
    queue: givenName,
    message_type: z.string().max(100).optional(),
    app_name: z.string().max(200).nullish(),
    payload: freeForm.optional(),
  }),
  output: z.object({
    message_id: protocolId,
    queue: z.string(),
    status: z.literal('accepted'),
    orchestration_id: protocolId,
  }),
  rest: { method: 'POST', path: '/api/queues/{queue}/messages', status: 202, family: 'flat' },
  errors: ['not_found', 'conflict', 'overloaded'],
  example: {
    input: {
      message_type: 'orchestration_request',
      app_name: 'business-infinity',
      payload: { agent_ids: ['ceo'], task: { type: 'strategic_review', data: {} } },
    },
  },
});

export const queueSpecs = [sendMessage];

/** @param submit the operation that takes a submission */
export function createQueueOperations({ submit }: { readonly submit: Operation }): readonly Operation[] {
  return [
    realize(sendMessage, async ({ queue, message_type: type, app_name: _app, payload, ...bare }, context) => {
      if (queue !== REQUEST_QUEUE) {
        throw new AosError('not_found', `Queue '${queue}' not found: there is ${REQUEST_QUEUE}`, {
          reason: 'QUEUE_NOT_FOUND',
        });
      }
      if (type !== undefined && type !== 'orchestration_request') {
        throw new AosError('invalid_request', `message_type must be orchestration_request, got "${type}"`);
      }
      const { orchestration_id: id } = await submit.perform((payload ?? bare) as JsonObject, context);
      return { message_id: String(id), queue, status: 'accepted' as const, orchestration_id: String(id) };
    }),
  ];
}
