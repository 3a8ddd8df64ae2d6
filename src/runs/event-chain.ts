/**
 * The chain of a run's log: every event carries the hash of the one before it, so that nobody can change, remove, swap
 * or insert an event without breaking the chain from there on. The database links an event when it gives it its number;
 * its digest, everything the event says, is made here.
 *
 * hash = sha256(prevHash ':' seq ':' digest), digest = sha256(canonical JSON of run, key, type, time, actor, trace and
 * data), all as lower-case hex; the first event is linked to 64 zeros.
 */
import { createHash } from 'node:crypto';
import { canonicalJson, type JsonObject } from '../core/json.ts';
import type { RunEvent } from './event.ts';

export const CHAIN_START = '0'.repeat(64);

/** What an event says, apart from its place in the log. */
export interface EventWords {
  readonly runId: string;
  readonly key: string;
  readonly type: string;
  readonly at: string;
  readonly actor: string;
  readonly traceId: string | null;
  readonly data: JsonObject;
}

export function digestOf({ runId, key, type, at, actor, traceId, data }: EventWords): string {
  return sha256(canonicalJson({ runId, key, type, at, actor, traceId, data }));
}

export function linkHash(prevHash: string, seq: number, digest: string): string {
  return sha256(`${prevHash}:${seq}:${digest}`);
}

/** The first place where a log is not what was written. */
export interface ChainFault {
  readonly seq: number;
  /** `rewritten`: the log holds together, and is not the one that was told elsewhere. */
  readonly problem: 'missing' | 'unlinked' | 'changed' | 'rewritten';
}

/** What somebody else kept of an event: its number and its hash. */
export interface EventAnchor {
  readonly seq: number;
  readonly hash: string;
}

/**
 * Checks a whole log, from its first event.
 * @param newest number and hash of the newest event as the run has them, to notice that the end is missing
 * @returns undefined when every event is what was written
 */
export function verifyEvents(
  events: readonly RunEvent[],
  newest?: { readonly lastEvent: number; readonly lastHash: string },
): ChainFault | undefined {
  let prevHash = CHAIN_START;
  for (const [index, event] of events.entries()) {
    const seq = index + 1;
    if (event.seq !== seq) return { seq, problem: 'missing' };
    if (event.prevHash !== prevHash) return { seq, problem: 'unlinked' };
    if (event.hash !== linkHash(prevHash, seq, digestOf(wordsOf(event)))) return { seq, problem: 'changed' };
    prevHash = event.hash;
  }
  if (newest === undefined || newest.lastHash === prevHash) return undefined;
  return { seq: Math.min(events.length, newest.lastEvent) + 1, problem: 'missing' };
}

/**
 * Checks a log against what was kept of it elsewhere: whoever can write a log can make its whole chain anew.
 * @returns the first event that is another than the one that was kept, or is not there
 */
export function verifyAnchors(events: readonly RunEvent[], anchors: readonly EventAnchor[]): ChainFault | undefined {
  const other = anchors
    .toSorted((one, next) => one.seq - next.seq)
    .find(({ seq, hash }) => events[seq - 1]?.hash !== hash);
  if (other === undefined) return undefined;
  return { seq: other.seq, problem: events[other.seq - 1] === undefined ? 'missing' : 'rewritten' };
}

/** The data of an event is JSON, whatever its type says it is. */
function wordsOf(event: RunEvent): EventWords {
  return { ...event, data: event.data as JsonObject };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
