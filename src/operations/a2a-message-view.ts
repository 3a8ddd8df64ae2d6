/** Messages, and the fabric context they go in, as the agent-to-agent protocol writes them. */
import { z } from 'zod';
import type { JsonObject } from '../core/json.ts';
import type { SentLetter } from '../delegation/mail.ts';
import { A2A_VERSION, messageTypes } from './a2a-protocol.ts';
import { freeForm, protocolId, time } from './field.ts';

export const fabricView = z
  .object({
    primary_plane_id: z.string().nullable(),
    Primary_Plane_ID: z.string().nullable(),
    fabric_preset: z.string().nullable(),
    auto_enriched: z.boolean().meta({ description: 'Whether this server filled it in' }),
  })
  .meta({ id: 'MessageFabricContext' });

export function viewFabric(fabric: JsonObject): z.input<typeof fabricView> {
  const text = (name: string) => (typeof fabric[name] === 'string' ? fabric[name] : null);
  return {
    primary_plane_id: text('primary_plane_id'),
    Primary_Plane_ID: text('primary_plane_id'),
    fabric_preset: text('fabric_preset'),
    auto_enriched: fabric['auto_enriched'] === true,
  };
}

export const messageView = z
  .object({
    id: protocolId,
    type: z.enum(messageTypes),
    from_agent: z.string(),
    to_agent: z.string().nullable().meta({ description: 'null: this server' }),
    correlation_id: z.string(),
    in_reply_to: z.string().nullable(),
    payload: freeForm,
    timestamp: time,
    created_at: time.meta({ description: 'The same as timestamp' }),
    expires_at: time.nullable(),
    fabric_context: fabricView,
    metadata: freeForm,
    protocol_version: z.string(),
    seq: z.int().nullable().meta({ description: 'Its number in the inbox of to_agent; null when it is in none' }),
  })
  .meta({ id: 'A2aMessage', description: 'A message from one agent to another' });

export type MessageView = z.input<typeof messageView>;

export function viewMessage(letter: SentLetter): MessageView {
  return {
    id: letter.id,
    type: messageTypes.find((type) => type === letter.type) ?? 'error',
    from_agent: letter.from,
    to_agent: letter.to === '' ? null : letter.to,
    correlation_id: letter.correlationId,
    in_reply_to: letter.inReplyTo,
    payload: letter.payload,
    timestamp: letter.createdAt,
    created_at: letter.createdAt,
    expires_at: letter.expiresAt,
    fabric_context: viewFabric(letter.fabric),
    metadata: letter.metadata,
    protocol_version: A2A_VERSION,
    seq: letter.to === '' || letter.seq === 0 ? null : letter.seq,
  };
}
