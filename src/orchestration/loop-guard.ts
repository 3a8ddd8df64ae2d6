/**
 * The guard against loops: notices when open-ended work goes round in circles. It knows the trajectory of a run as
 * hashes of who said what, and trips when the same agent says the same thing again and again, when a turn makes the
 * same tool call again and again, or when two agents hand the work back and forth. Pure; what a trip means for the run
 * is `run-meter.ts`.
 */
import { createHash } from 'node:crypto';
import { canonicalJson, type JsonObject } from '../core/json.ts';

/** How often is too often. */
export const loopBounds = {
  /** The same words of the same agent. */
  words: 3,
  /** The same call in the same turn. */
  calls: 4,
  /** Handovers in a row between the same two agents: three times there and back. */
  handovers: 6,
} as const;

/** How far back the trajectory is known. */
const WINDOW = 200;

export interface Loop {
  readonly what: string;
  readonly used: number;
  readonly max: number;
}

export interface LoopGuard {
  /** @returns the loop that these words close, if they do */
  said(agentId: string, text: string): Loop | undefined;
  called(turn: string, tool: string, args: JsonObject): Loop | undefined;
  handedOver(from: string, to: string): Loop | undefined;
  /** Forgets the trajectory: somebody let the run go on. */
  forget(): void;
}

export function createLoopGuard(bounds: Record<keyof typeof loopBounds, number> = loopBounds): LoopGuard {
  let trajectory: string[] = [];
  let handovers: { readonly from: string; readonly to: string }[] = [];

  /** How often this has been there, now included. */
  function count(hash: string): number {
    trajectory = [...trajectory, hash].slice(-WINDOW);
    return trajectory.filter((known) => known === hash).length;
  }

  return {
    said(agentId, text) {
      const used = count(hashOf('said', agentId, normalised(text)));
      const max = bounds.words;
      return used >= max ? { what: `${agentId} said the same ${used} times`, used, max } : undefined;
    },
    called(turn, tool, args) {
      const used = count(hashOf('called', turn, tool, canonicalJson(args)));
      const max = bounds.calls;
      return used >= max
        ? { what: `${turn} called ${tool} ${used} times with the same arguments`, used, max }
        : undefined;
    },
    handedOver(from, to) {
      const previous = handovers.at(-1);
      const back = previous !== undefined && previous.from === to && previous.to === from;
      handovers = back ? [...handovers, { from, to }] : [{ from, to }];
      const used = handovers.length;
      const max = bounds.handovers;
      return used >= max
        ? { what: `${from} and ${to} handed the work back and forth ${used} times`, used, max }
        : undefined;
    },
    forget() {
      trajectory = [];
      handovers = [];
    },
  };
}

/** Case, blanks and punctuation make no difference to what is said. */
export function normalised(text: string): string {
  return text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim();
}

function hashOf(...parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64');
}
