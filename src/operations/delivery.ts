/** What was sent out, what still is to be, and what was given up: the outbox for people. */
import { z } from 'zod';
import { AosError } from '../core/errors.ts';
import { type Delivery, deliveryStatuses, type Outbox } from '../egress/outbox.ts';
import { cursor, nextCursor, pageSize, protocolId, time } from './field.ts';
import { type Operation, overseerOf, realize, specify } from './operation.ts';

const PATH = '/api/v1/aoa/deliveries';

const deliveryView = z
  .object({
    id: z.string().meta({ description: 'What the receiver sees as webhook-id, the same at every attempt' }),
    kind: z.string().meta({ description: 'callback: the result of an orchestration' }),
    subject: z.string().meta({ description: 'Id of what it tells of' }),
    url: z.string(),
    status: z.enum(deliveryStatuses).meta({ description: 'dead: refused for good, or tried too often' }),
    attempts: z.int().min(0),
    created_at: time,
    next_attempt_at: time.nullable(),
    last_attempt_at: time.nullable(),
    delivered_at: time.nullable(),
    dead_at: time.nullable(),
    last_status: z.int().nullable().meta({ description: 'HTTP status of the last answer' }),
    last_error: z.string().nullable(),
  })
  .meta({ id: 'Delivery', description: 'A message that leaves this server, at least once' });

const EXAMPLE: z.input<typeof deliveryView> = {
  id: 'msg_2f1c9c0e-5a57-4b8e-9a55-3f2f6f8d9b10',
  kind: 'callback',
  subject: '0d9f3c52-6c5e-4a53-9b43-2f9a1c7e5d10',
  url: 'https://receiver.example/results',
  status: 'dead',
  attempts: 12,
  created_at: '2026-02-01T10:00:00.000Z',
  next_attempt_at: null,
  last_attempt_at: '2026-02-01T12:31:07.000Z',
  delivered_at: null,
  dead_at: '2026-02-01T12:31:08.000Z',
  last_status: 503,
  last_error: 'the receiver answered 503',
};

const byId = z.object({ delivery_id: z.string().min(1).max(256) });

export const listDeliveries = specify({
  name: 'deliveries.list',
  summary: 'Messages that leave this server, newest first',
  input: z.object({
    status: z.enum(deliveryStatuses).optional(),
    subject: protocolId.optional().meta({ description: 'Only those that tell of this run' }),
    limit: pageSize,
    cursor,
  }),
  output: z.object({ items: z.array(deliveryView), next_cursor: nextCursor }),
  rest: { method: 'GET', path: PATH, status: 200, family: 'detail' },
  example: { output: { items: [EXAMPLE], next_cursor: null } },
});

export const getDelivery = specify({
  name: 'deliveries.get',
  summary: 'One message that leaves this server',
  input: byId,
  output: deliveryView,
  rest: { method: 'GET', path: `${PATH}/{delivery_id}`, status: 200, family: 'detail' },
  errors: ['not_found'],
  example: { output: EXAMPLE },
});

export const retryDelivery = specify({
  name: 'deliveries.retry',
  summary: 'Send a message again that was given up',
  description: 'With all its attempts anew. One that still is to be sent is tried now; one that arrived is 409.',
  input: byId,
  output: deliveryView,
  rest: { method: 'POST', path: `${PATH}/{delivery_id}/retry`, status: 202, family: 'detail' },
  errors: ['not_found', 'conflict'],
  example: { input: {} },
});

export const deliverySpecs = [listDeliveries, getDelivery, retryDelivery];

export interface DeliveryOperationParts {
  readonly outbox: Pick<Outbox, 'find' | 'list' | 'retry'>;
}

export function createDeliveryOperations({ outbox }: DeliveryOperationParts): readonly Operation[] {
  return [
    realize(listDeliveries, async (filter, context) => {
      const { items, nextCursor: next } = await outbox.list(overseerOf(context), filter);
      return { items: items.map(showDelivery), next_cursor: next };
    }),
    realize(getDelivery, async ({ delivery_id: id }, context) => {
      const delivery = await outbox.find(id, overseerOf(context));
      if (delivery !== undefined) return showDelivery(delivery);
      throw new AosError('not_found', `Delivery ${id} not found`, { reason: 'DELIVERY_NOT_FOUND' });
    }),
    realize(retryDelivery, async ({ delivery_id: id }, context) =>
      showDelivery(await outbox.retry(id, overseerOf(context))),
    ),
  ];
}

function showDelivery(delivery: Delivery): z.input<typeof deliveryView> {
  const { id, kind, subject, url, status, attempts } = delivery;
  return {
    id,
    kind,
    subject,
    url,
    status,
    attempts,
    created_at: delivery.createdAt,
    next_attempt_at: delivery.nextAttemptAt,
    last_attempt_at: delivery.lastAttemptAt,
    delivered_at: delivery.deliveredAt,
    dead_at: delivery.deadAt,
    last_status: delivery.lastStatus,
    last_error: delivery.lastError,
  };
}
