/**
 * Events on their way into the database: actor and trace filled in, what is too large put beside the log, and the digest
 * of what is left. The form is that of `src/store/tables/run-routine.ts`.
 */
import { createHash } from 'node:crypto';
import { context, trace } from '@opentelemetry/api';
import { isJsonObject, type JsonObject, type JsonValue } from '../core/json.ts';
import type { KeyedEvent, NewRunEvent } from './event.ts';
import { digestOf } from './event-chain.ts';

/** Data of an event beyond this is stored beside the log: 256 KiB of JSON. */
const MAX_DATA_BYTES = 256 * 1024;
/** No JSON text needs more bytes than this per UTF-16 unit. */
const MAX_BYTES_PER_UNIT = 3;

interface Payload {
  /** SHA-256 of the body, hex. */
  readonly digest: string;
  /** JSON text. */
  readonly body: string;
}

/** @param at time of all of them, ISO-8601 UTC */
export function encodeEvents(runId: string, events: readonly KeyedEvent[], at: string, traceId?: string): string {
  return JSON.stringify(
    events.map((event) => {
      const { key, type } = event;
      const { data, text, payloads } = lighten(event.data as JsonObject);
      const actor = actorOf(event);
      const traced = currentTraceId() ?? traceId ?? null;
      const digest = digestOf({ runId, key, type, at, actor, traceId: traced, data });
      return { key, type, actor, trace: traced, digest, data: text, ...(payloads.length > 0 && { payloads }) };
    }),
  );
}

function actorOf({ actor, data }: NewRunEvent): string {
  if (actor !== undefined) return actor;
  return 'agent_id' in data && typeof data.agent_id === 'string' ? `agent:${data.agent_id}` : 'system';
}

function currentTraceId(): string | undefined {
  return trace.getSpanContext(context.active())?.traceId;
}

/** The trace id of a W3C `traceparent`. */
export function traceIdOf(traceparent: string | null): string | undefined {
  return traceparent?.split('-')[1];
}

/** Replaces the largest members, one after the other, until what is left is small enough. */
function lighten(given: JsonObject): { data: JsonObject; text: string; payloads: readonly Payload[] } {
  const payloads: Payload[] = [];
  let data = given;
  let text = JSON.stringify(data);
  while (isTooLarge(text)) {
    const heaviest = Object.entries(data)
      .filter(([, value]) => !isReference(value))
      .map(([name, value]) => ({ name, body: JSON.stringify(value) }))
      .reduce<{ name: string; body: string } | undefined>(
        (most, each) => (most === undefined || each.body.length > most.body.length ? each : most),
        undefined,
      );
    if (heaviest === undefined) break;
    const { name, body } = heaviest;
    const digest = createHash('sha256').update(body).digest('hex');
    payloads.push({ digest, body });
    data = { ...data, [name]: { $payload: { sha256: digest, bytes: Buffer.byteLength(body) } } };
    text = JSON.stringify(data);
  }
  return { data, text, payloads };
}

function isTooLarge(text: string): boolean {
  return text.length * MAX_BYTES_PER_UNIT > MAX_DATA_BYTES && Buffer.byteLength(text) > MAX_DATA_BYTES;
}

/** The digest that stands in the place of a member, if it was put beside the log. */
export function referenceOf(value: JsonValue | undefined): string | undefined {
  if (!isJsonObject(value) || !isJsonObject(value['$payload'])) return undefined;
  const { sha256 } = value['$payload'];
  return typeof sha256 === 'string' ? sha256 : undefined;
}

function isReference(value: JsonValue): boolean {
  return referenceOf(value) !== undefined;
}
