/**
 * A rule finds one family of personal data: a pattern proposes, a judgement decides. Rules read text that may still be
 * growing, so each says how far it looks, and whatever lies before that is final. What a rule may look at: LEFT_REACH
 * characters before a match, `reach` characters from its start on, nothing else.
 */
import type { Cue, Cues } from './cue.ts';
import type { PersonalDataType } from './personal-data.ts';

/** How many characters before a match a judgement may look at. */
export const LEFT_REACH = 64;

export interface Rule {
  /**
   * Global; every repetition bounded, so that a match and its lookahead stay within `reach`. It is tried at each place of
   * a text, and classes like `\p{L}` are dear: so patterns begin with what is cheap and excludes most places, a look at
   * plain letters (`(?<![A-Za-z0-9])` before `(?<![\p{L}\p{N}])`, `(?=[A-Z\u0080-\u{10ffff}])` before `\p{Lu}`).
   */
  readonly pattern: RegExp;
  /** Without any of these, in a match or before it, nothing matches: most texts need not be searched at all. */
  readonly needs?: readonly string[];
  /** Global; matches the first character of whatever may become a match. Looks at nothing after it. */
  readonly starter: RegExp;
  /**
   * Sticky; from such a start to the end of the text (`$`), when a match could still come to be, or grow, with more text.
   * Without it every start can.
   */
  readonly alive?: RegExp;
  /** Characters from the start of a match to the last one looked at, at most. */
  readonly reach: number;
  /** What a match and its lookahead never cross: white space, or the end of a line (they may look at it). */
  readonly within: 'word' | 'line';
  readonly judge: (sighting: Sighting) => Finding | readonly Finding[] | undefined;
  /** Whether a refused match may hold another; what lies within such matches must not overlap, or time is not linear. */
  readonly looksInside?: (sighting: Sighting) => boolean;
}

/** A place where the pattern of a rule matched. Positions are those of `text`. */
export interface Sighting {
  readonly text: string;
  readonly start: number;
  readonly end: number;
  readonly value: string;
  readonly groups: Readonly<Record<string, string | undefined>>;
  /** What stands before it, LEFT_REACH characters, in lower case; words of names like `phoneNumber` or `phone_number` parted. */
  readonly left: string;
  /** Whether a word of the cue stands before it, with nothing but small words between. */
  readonly follows: (cue: Cue) => boolean;
  /** All cues that stand before it. */
  readonly cues: Cues;
}

export interface Finding {
  readonly type: PersonalDataType;
  readonly start: number;
  readonly end: number;
  /** From 0 to 1. */
  readonly confidence: number;
  /** What may follow the value and belongs to it, however long it is; such a finding is certain. */
  readonly tail?: Tail;
}

/**
 * Reads what follows a value, character by character: a state (0 at first) and a character give the next state, or -1
 * when the character does not belong to the value any more.
 */
export type Tail = (state: number, character: string) => number;

const CAMEL = /(?=[A-Z])(?<=[a-z])/g;
const JOINTS = /[_-]/g;
/** Without any of these there is nothing to part. */
const JOINED = /[A-Z_-]/;

/** `Sighting.left` for a position in a text; or the end of it, for those who look less far. */
export function leftOf(text: string, start: number, reach = LEFT_REACH): string {
  const before = text.slice(Math.max(0, start - reach), start);
  return (JOINED.test(before) ? before.replace(CAMEL, ' ').replace(JOINTS, ' ') : before).toLowerCase();
}

/** The whole match, as a finding. */
export function found(type: PersonalDataType, { start, end }: Sighting, confidence: number): Finding {
  return { type, start, end, confidence };
}
