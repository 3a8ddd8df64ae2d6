/**
 * Text as the rules read it: digits, blanks, dashes and letters of other widths and scripts become the plain ones, and
 * characters that nobody sees are left out. Each character that stays knows where it was, so that what is found is
 * reported, and replaced, in the original. A character becomes one character or none, whatever stands beside it: so a
 * text may come in pieces.
 */
export interface NormalText {
  readonly text: string;
  /** For each UTF-16 unit of `text`, where its original began and ended; undefined: `text` is the original. */
  readonly places: { readonly starts: readonly number[]; readonly ends: readonly number[] } | undefined;
}

/** Invisible characters in a row beyond these are not left out, or they could stand between the digits of a value for ever. */
const MOST_INVISIBLE = 8;

const STRANGE =
  /[^\n\r\t\u0020-\u007e\u00a1-\u00ac\u00ae-\u024f\u0370-\u03ff\u0400-\u04ff\u3041-\u30ff\u4e00-\u9fff\uac00-\ud7a3]/;
const STRANGE_RUNS = new RegExp(`${STRANGE.source}+`, 'gu');
const INVISIBLE =
  /^(?:\u00ad|\u034f|\u061c|\u115f|\u1160|\u180e|[\u200b-\u200f]|[\u202a-\u202e]|[\u2060-\u206f]|[\ufe00-\ufe0f]|\ufeff)$/;
const DIGIT = /^\p{Nd}$/u;
const BLANK = /^\p{Zs}$/u;
const DASH = /^[\p{Pd}\u2212]$/u;

/** Makes texts normal, one piece after the other. A piece never ends between the halves of a surrogate pair. */
export function createNormaliser(): (piece: string, at: number) => NormalText {
  let invisible = 0;
  return (piece, at) => {
    if (!STRANGE.test(piece)) {
      invisible = 0;
      return { text: piece, places: undefined };
    }
    const changes: Change[] = [];
    let text = '';
    let copied = 0;
    for (const { 0: run, index } of piece.matchAll(STRANGE_RUNS)) {
      if (index > copied) invisible = 0;
      text += piece.slice(copied, index);
      let place = index;
      for (const character of run) {
        const plain = plainOf(character);
        invisible = plain === '' ? invisible + 1 : 0;
        const kept = plain === '' && invisible > MOST_INVISIBLE ? character : plain;
        text += kept;
        if (kept.length !== character.length) changes.push({ start: place, from: character.length, to: kept.length });
        place += character.length;
      }
      copied = place;
    }
    if (copied < piece.length) invisible = 0;
    text += piece.slice(copied);
    // As long as every character is as long as its original, all are where they were.
    return { text, places: changes.length === 0 ? undefined : placesOf(piece.length, at, changes) };
  };
}

/** A character of a piece whose length changed, in UTF-16 units. */
interface Change {
  readonly start: number;
  readonly from: number;
  readonly to: number;
}

function placesOf(length: number, at: number, changes: readonly Change[]): NormalText['places'] {
  const starts: number[] = [];
  const ends: number[] = [];
  const same = (from: number, to: number) => {
    for (let place = from; place < to; place++) {
      starts.push(at + place);
      ends.push(at + place + 1);
    }
  };
  let next = 0;
  for (const { start, from, to } of changes) {
    same(next, start);
    // Of a pair that became one character, that one is both.
    for (let unit = 0; unit < to; unit++) {
      starts.push(at + start + unit);
      ends.push(at + start + from);
    }
    next = start + from;
  }
  same(next, length);
  return { starts, ends };
}

const plains = new Map<string, string>();

function plainOf(character: string): string {
  const cached = plains.get(character);
  if (cached !== undefined) return cached;
  const plain = workOut(character);
  if (plains.size < 4096) plains.set(character, plain);
  return plain;
}

function workOut(character: string): string {
  if (INVISIBLE.test(character)) return '';
  if (BLANK.test(character)) return ' ';
  if (DASH.test(character)) return '-';
  if (character === '\u2018' || character === '\u2019') return "'";
  if (character === '\u201c' || character === '\u201d' || character === '\u201e') return '"';
  const composed = character.normalize('NFKC');
  const plain = composed.length <= character.length && composed.length > 0 ? composed : character;
  return DIGIT.test(plain) ? digitOf(plain) : plain;
}

/** Digits of a script follow each other, zero first. */
function digitOf(digit: string): string {
  const code = digit.codePointAt(0) ?? 0;
  let value = 0;
  while (value < 9 && DIGIT.test(String.fromCodePoint(code - value - 1))) value++;
  return code < 0x80 ? digit : String(value);
}
