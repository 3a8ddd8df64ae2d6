/**
 * Finds personal data in a text that comes in pieces, and knows up to where that is final: no text to come can change
 * what was found there. Each rule keeps its own place in the text, so it finds the same whatever the pieces are.
 */
import { type Cue, type Cues, cuesBefore } from './cue.ts';
import { type Finding, LEFT_REACH, leftOf, type Rule, type Sighting } from './rule.ts';

export interface Finder {
  /** More text; afterwards `settled` may have grown. After the last piece everything is settled. */
  push(text: string, isLast: boolean): void;
  /** Position before which all is final. */
  settled(): number;
  /** The parts of findings between two settled positions, in order, none overlapping; then forgets what lies before `to`. */
  take(from: number, to: number): readonly FoundPart[];
}

/** A part of a text and the finding it belongs to: the strongest of those that cover it. */
export interface FoundPart {
  readonly start: number;
  end: number;
  readonly finding: Finding;
}

/** A finding whose end may still move. Positions are those of the whole text. */
interface Cover {
  readonly finding: Finding;
  readonly start: number;
  end: number;
  /** State of the tail; -1: the end is known. */
  tail: number;
  /** Which rule found it; it goes on looking after the tail. */
  readonly rule: number;
}

/**
 * @param before what stands before the text and is not part of it, e.g. the name of its field
 * @param accept whether a finding counts; told with its value
 */
export function createFinder(
  rules: readonly Rule[],
  before: string,
  accept: (finding: Finding, value: string) => boolean,
): Finder {
  /** The text from `base` on; what lies before the text has negative positions. */
  let text = before;
  let base = -before.length;
  let finished = false;
  const next = rules.map(() => 0);
  const covers: Cover[] = [];
  let open: Cover[] = [];

  /** Several rules look at what stands before the same place. */
  let lefts = new Map<number, Left>();
  const left = (at: number): Left => {
    const known = lefts.get(at);
    if (known !== undefined) return known;
    const made = new Left(text, at);
    lefts.set(at, made);
    return made;
  };

  const search = () => {
    lefts = new Map();
    for (const [index, rule] of rules.entries()) {
      const from = (next[index] ?? 0) - base;
      const frontier = finished ? text.length : frontierOf(rule, text, from);
      const isSearched = rule.needs === undefined || rule.needs.some((part) => text.includes(part));
      let at = isSearched ? from : frontier;
      while (at < frontier) {
        rule.pattern.lastIndex = at;
        const match = rule.pattern.exec(text);
        if (match === null || match.index >= frontier) {
          at = frontier;
          break;
        }
        at = match.index + Math.max(1, match[0].length);
        const seen = new Seen(text, match, left);
        const judged = rule.judge(seen);
        if (judged === undefined) {
          if (rule.looksInside?.(seen)) at = match.index + (isLowHalf(text, match.index + 1) ? 2 : 1);
          continue;
        }
        for (const finding of judgedOf(judged)) at = Math.max(at, add(finding, index) - base);
      }
      next[index] = Math.max(at, from) + base;
    }
  };

  /** Returns where the rule goes on. */
  const add = (finding: Finding, rule: number): number => {
    if (!accept(finding, text.slice(finding.start, finding.end))) return base;
    const cover: Cover = {
      finding,
      start: finding.start + base,
      end: finding.end + base,
      tail: finding.tail === undefined ? -1 : 0,
      rule,
    };
    covers.push(cover);
    if (cover.tail >= 0) {
      extend(cover);
      if (cover.tail >= 0) open.push(cover);
    }
    return finding.tail === undefined ? base : cover.end;
  };

  const extend = (cover: Cover) => {
    const { tail } = cover.finding;
    while (tail !== undefined && cover.tail >= 0 && cover.end - base < text.length) {
      cover.tail = tail(cover.tail, text.charAt(cover.end - base));
      if (cover.tail >= 0) cover.end++;
    }
  };

  return {
    push(piece, isLast) {
      finished = isLast;
      text += piece;
      for (const cover of open) {
        extend(cover);
        next[cover.rule] = Math.max(next[cover.rule] ?? 0, cover.end);
      }
      open = open.filter((cover) => cover.tail >= 0);
      search();
    },
    settled: () => Math.min(base + text.length, ...next),
    take(from, to) {
      const parts = paint(covers, from, to);
      for (let index = covers.length - 1; index >= 0; index--) {
        const cover = covers[index];
        if (cover !== undefined && cover.end <= to && cover.tail < 0) covers.splice(index, 1);
      }
      const needed = to - LEFT_REACH - 1;
      if (needed - base > 4 * LEFT_REACH) {
        text = text.slice(needed - base);
        base = needed;
      }
      return parts;
    },
  };
}

/** The first position where the rule may still find something that depends on text to come. */
function frontierOf(rule: Rule, text: string, from: number): number {
  const horizon = Math.max(from, text.length - rule.reach);
  let start = text.length;
  while (start > horizon && !(rule.within === 'word' ? isBlank(text, start - 1) : isLineEnd(text, start - 1))) start--;
  if (start >= text.length) return text.length;
  // A pattern never starts between the halves of a pair.
  if (start > from && isLowHalf(text, start)) start--;
  const { starter, alive } = rule;
  for (;;) {
    starter.lastIndex = start;
    const candidate = starter.exec(text)?.index;
    if (candidate === undefined) return text.length;
    if (alive === undefined) return candidate;
    alive.lastIndex = candidate;
    if (alive.test(text)) return candidate;
    start = candidate + (isLowHalf(text, candidate + 1) ? 2 : 1);
  }
}

function isLowHalf(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code >= 0xdc00 && code < 0xe000;
}

function isLineEnd(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code === 10 || code === 13;
}

function isBlank(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code === 32 || (code >= 9 && code <= 13);
}

function judgedOf(judged: Finding | readonly Finding[]): readonly Finding[] {
  return 'start' in judged ? [judged] : judged;
}

/** What stands before a place, worked out when it is asked for. */
class Left {
  readonly #before: string;
  readonly #at: number;
  #text: string | undefined;
  #cues: Cues | undefined;

  constructor(before: string, at: number) {
    this.#before = before;
    this.#at = at;
  }

  get text(): string {
    this.#text ??= leftOf(this.#before, this.#at);
    return this.#text;
  }

  get cues(): Cues {
    this.#cues ??= cuesBefore(this.text);
    return this.#cues;
  }
}

/** A class, because accessors of an object made for each match cost more than most matches. */
class Seen implements Sighting {
  readonly text: string;
  readonly start: number;
  readonly end: number;
  readonly value: string;
  readonly groups: Readonly<Record<string, string | undefined>>;
  readonly #leftAt: (at: number) => Left;

  constructor(text: string, match: RegExpExecArray, leftAt: (at: number) => Left) {
    this.text = text;
    this.start = match.index;
    this.value = match[0];
    this.end = match.index + this.value.length;
    this.groups = match.groups ?? NO_GROUPS;
    this.#leftAt = leftAt;
  }

  get left(): string {
    return this.#leftAt(this.start).text;
  }

  get cues(): Cues {
    return this.#leftAt(this.start).cues;
  }

  follows(cue: Cue): boolean {
    return this.cues.has(cue);
  }
}

const NO_GROUPS = {};

/**
 * Which finding each character belongs to, where several cover it: the strongest. It depends on those that cover the
 * character alone, so it is settled as soon as they are; and no character of any of them stays uncovered.
 */
function paint(covers: Cover[], from: number, to: number): readonly FoundPart[] {
  covers.sort((one, other) => one.start - other.start);
  const parts: FoundPart[] = [];
  let active: Cover[] = [];
  let waiting = 0;
  let at = from;
  while (at < to) {
    active = active.filter((cover) => cover.end > at);
    for (let cover = covers[waiting]; cover !== undefined && cover.start <= at; cover = covers[++waiting]) {
      if (cover.end > at) active.push(cover);
    }
    const until = Math.min(to, covers[waiting]?.start ?? to);
    const best = active.reduce<Cover | undefined>(
      (one, other) => (one === undefined || beats(other, one) ? other : one),
      undefined,
    );
    if (best === undefined) {
      at = until;
      continue;
    }
    const end = Math.min(until, best.end);
    const last = parts.at(-1);
    if (last?.finding === best.finding && last.end === at) last.end = end;
    else parts.push({ start: at, end, finding: best.finding });
    at = end;
  }
  return parts;
}

function beats(one: Cover, other: Cover): boolean {
  return (
    (one.finding.confidence - other.finding.confidence ||
      one.finding.end - one.finding.start - (other.finding.end - other.finding.start) ||
      other.start - one.start ||
      (one.finding.type < other.finding.type ? 1 : -1)) > 0
  );
}
