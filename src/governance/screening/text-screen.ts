/**
 * Screens one text that comes in pieces. What goes out is the same whatever the pieces are, and nothing goes out before
 * it is settled to what it belongs: a text screened whole is the case of one piece.
 */
import { createFinder, type Finder } from './finder.ts';
import { createNormaliser } from './normal-text.ts';
import { type PersonalDataType, tokenOf } from './personal-data.ts';
import type { ScreeningPolicy } from './policy.ts';
import type { Finding, Rule } from './rule.ts';

/** A value that was found: UTF-16 units of the original text. Never the value itself. */
export interface TextMatch {
  readonly type: PersonalDataType;
  readonly start: number;
  readonly end: number;
  readonly confidence: number;
}

export interface TextScreen {
  /** The next piece; returns what is settled by now, values replaced. */
  push(piece: string): string;
  /** The last piece, if there is one more; returns the rest. */
  finish(piece?: string): string;
  /** What was found and is settled. */
  readonly matches: readonly TextMatch[];
}

/** @param before what stands before the text without being part of it, e.g. the name of its field */
export function createTextScreen(rules: readonly Rule[], policy: ScreeningPolicy, before = ''): TextScreen {
  const normalise = createNormaliser();
  const finder: Finder = createFinder(rules, before, accepts(policy));
  const matches: { type: PersonalDataType; start: number; end: number; confidence: number }[] = [];
  /** What came and has not gone, from `rawBase` on. */
  let raw = '';
  let rawBase = 0;
  /** Half of a surrogate pair that waits for the other. */
  let half = '';
  let came = 0;
  /** Places of the normal text from `placeBase` on; without places it is the original, shifted by `shift`. */
  let starts: number[] | undefined;
  let ends: number[] = [];
  let placeBase = 0;
  let length = 0;
  let gone = 0;
  let last: { finding: Finding; end: number } | undefined;

  const feed = (piece: string, isLast: boolean) => {
    const normal = normalise(piece, came);
    came += piece.length;
    raw += piece;
    if (normal.places !== undefined && starts === undefined) {
      // So far each character was its own original.
      starts = Array.from({ length: length - gone }, (_, index) => gone + index);
      ends = starts.map((start) => start + 1);
      placeBase = gone;
    }
    if (starts !== undefined) {
      const from = came - piece.length;
      for (let index = 0; index < normal.text.length; index++) {
        starts.push(normal.places?.starts[index] ?? from + index);
        ends.push(normal.places?.ends[index] ?? from + index + 1);
      }
    }
    length += normal.text.length;
    finder.push(normal.text, isLast);
  };

  const startOf = (at: number) => starts?.[at - placeBase] ?? at;
  const endOf = (at: number) => (starts === undefined ? at : (ends[at - 1 - placeBase] ?? rawBase));

  const release = (): string => {
    const settled = finder.settled();
    if (settled <= gone) return '';
    let out = '';
    let rawAt = rawBase;
    const plainUntil = (place: number) => {
      if (place > rawAt) out += raw.slice(rawAt - rawBase, place - rawBase);
      rawAt = Math.max(rawAt, place);
    };
    for (const part of finder.take(gone, settled)) {
      const continues = last?.finding === part.finding && last.end === part.start;
      const end = endOf(part.end);
      if (continues) {
        const match = matches.at(-1);
        if (match !== undefined) match.end = end;
      } else {
        const start = startOf(part.start);
        plainUntil(start);
        out += tokenOf(part.finding.type);
        matches.push({ type: part.finding.type, start, end, confidence: part.finding.confidence });
      }
      rawAt = Math.max(rawAt, end);
      last = { finding: part.finding, end: part.end };
    }
    plainUntil(endOf(settled));
    raw = raw.slice(rawAt - rawBase);
    rawBase = rawAt;
    if (starts !== undefined) {
      starts = starts.slice(settled - placeBase);
      ends = ends.slice(settled - placeBase);
      placeBase = settled;
    }
    gone = settled;
    return out;
  };

  return {
    matches,
    push(piece) {
      const text = half + piece;
      const final = text.charCodeAt(text.length - 1);
      half = final >= 0xd800 && final < 0xdc00 ? text.slice(-1) : '';
      feed(half === '' ? text : text.slice(0, -1), false);
      return release();
    },
    finish(piece = '') {
      feed(half + piece, true);
      half = '';
      const out = release() + raw;
      raw = '';
      return out;
    },
  };
}

type Accept = (finding: Finding, value: string) => boolean;

const acceptors = new WeakMap<ScreeningPolicy, Accept>();

function accepts(policy: ScreeningPolicy): Accept {
  const known = acceptors.get(policy);
  if (known !== undefined) return known;
  const types = new Set(policy.types);
  const allowed = new Set(policy.allowed.map((value) => value.toLowerCase()));
  const accept: Accept = ({ type, confidence }, value) => {
    if (confidence < policy.threshold || !types.has(type)) return false;
    if (allowed.size === 0) return true;
    const plain = value.toLowerCase();
    return !allowed.has(plain) && !(type === 'email' && allowed.has(plain.slice(plain.lastIndexOf('@'))));
  };
  acceptors.set(policy, accept);
  return accept;
}
