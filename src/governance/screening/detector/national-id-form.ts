/**
 * The form of a number that a state gives to people, and how it is told which of them stands at a place of a text.
 */
import { type Cue, cue, thing } from '../cue.ts';
import { plant, type WordNode, wordTree } from '../cue-words.ts';
import type { Finding, Rule, Sighting } from '../rule.ts';

export interface NationalId {
  /** Sticky: where it ends, and that it ends there. */
  readonly form: RegExp;
  /** What it is called. */
  readonly cue: Cue;
  /** Judges it without separators, in capitals. */
  readonly check: (id: string) => boolean;
  /** Written like this it needs no cue; with how sure that is. */
  readonly alone?: { readonly form: RegExp; readonly confidence: number };
}

/** Each form asks for it, so plain characters are told first, without the large classes. */
const ALPHANUMERIC = '(?:[A-Za-z0-9]|(?=[\\u0080-\\u{10ffff}])[\\p{L}\\p{N}])';
const END = `(?!_|[./-]?${ALPHANUMERIC})`;

export function define(
  form: string,
  words: string,
  check: (id: string) => boolean,
  alone?: readonly [form: RegExp, confidence: number],
): NationalId {
  return {
    form: new RegExp(`${form}${END}`, 'iuy'),
    cue: cue(words),
    check,
    ...(alone !== undefined && { alone: { form: alone[0], confidence: alone[1] } }),
  };
}

/** The check of an id without a check digit: its form is all there is. */
export const anyForm = () => true;

/** Words for ids of any state: with them any of the forms with a check digit will do. */
const anyState = cue(
  "national ?id(?:entity|entification)?|national identity|identity card|id card|citizen id|personal id|documento nacional|identification number|government id|tax ?payer id|tax id|numéro d'identité|identifiant national",
);

/** Names of ids that are words, or ids of other things, as well. */
const AMBIGUOUS = new Set(
  'id|ic|cc|ci|tc|cf|ni|sin|nas|tin|run|uid|chi|inn|nik|ipn|arc|fin|pan|rfc|nie|eid|rut|national id|id number|identity number|identifikationsnummer|versicherungsnummer|steuernummer|citizen id|id card|resident id|documento|identidad|personal code|birth number|my number|medicare|fiscale|kimlik'.split(
    '|',
  ),
);
/** How many characters may stand between a name and a number that is right by its check digit. */
const NEAR = 24;

/**
 * Which ids have a name that stands before, with other words between; no other number, and no end of a sentence. Of
 * several names the first counts, of those that begin there the longest.
 */
export function nearWith(ids: readonly NationalId[]): (left: string) => readonly NationalId[] {
  const names = wordTree<NationalId>();
  let longest = 0;
  for (const id of ids) {
    for (const word of id.cue.words) {
      if (AMBIGUOUS.has(word)) continue;
      plant(names, word, id);
      longest = Math.max(longest, word.length);
    }
  }
  return (left) => {
    const furthest = Math.max(0, left.length - NEAR - longest - 1);
    let from = left.length;
    while (from > furthest && !ends(left.charCodeAt(from - 1))) from--;
    if (left.length - from < 4) return [];
    let first = left.length;
    let owners: readonly NationalId[] = [];
    // From the end backwards: a name that ends later and begins at the same place is longer, and has been seen.
    for (let end = left.length, between = 0; end > from && between <= NEAR; between++) {
      if (!isLetter(left.charCodeAt(end))) {
        let node: WordNode<NationalId> | undefined = names;
        for (let at = end - 1; at >= from; at--) {
          node = node.before.get(left.charCodeAt(at));
          if (node === undefined) break;
          if (node.owners.length === 0 || at >= first || (at > from && isWordCharacter(left.charCodeAt(at - 1))))
            continue;
          first = at;
          owners = node.owners;
        }
      }
      if (/[\r\u2028\u2029]/.test(left.charAt(end - 1))) break;
      end -= isPair(left, end - 2) ? 2 : 1;
    }
    return owners;
  };
}

/** Letters as names of ids have them at their ends. */
function isLetter(code: number): boolean {
  return (code >= 0x61 && code <= 0x7a) || (code >= 0xe0 && code <= 0xff);
}

function isWordCharacter(code: number): boolean {
  return isLetter(code) || (code >= 0x30 && code <= 0x39);
}

function isPair(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  const next = text.charCodeAt(at + 1);
  return code >= 0xd800 && code < 0xdc00 && next >= 0xdc00 && next < 0xe000;
}

/** Digits, ends of sentences and of lines. */
function ends(code: number): boolean {
  return (
    (code >= 0x30 && code <= 0x39) || code === 10 || code === 0x21 || code === 0x2e || code === 0x3b || code === 0x3f
  );
}

/** Looks only at the ids that could count here: most places have no word for an id before them, nor the look of one. */
export function judgeWith(ids: readonly NationalId[]): Rule['judge'] {
  const named = new Map<Cue, NationalId>(ids.map((id) => [id.cue, id]));
  const alone = ids.filter((id) => id.alone !== undefined);
  const looks = looksOf(alone);
  const checked = ids.filter((id) => id.check !== anyForm);
  const valuesAt = createFormReader(checked);
  const nearby = nearWith(checked);
  return (sighting) => {
    const { text, start, cues } = sighting;
    /** With their values. */
    const candidates = cues.has(anyState) ? valuesAt(text, start) : new Map<NationalId, string>();
    let isProposed = candidates.size > 0;
    const propose = (id: NationalId) => {
      isProposed = true;
      id.form.lastIndex = start;
      const value = candidates.has(id) ? undefined : id.form.exec(text)?.[0];
      if (value !== undefined) candidates.set(id, value);
    };
    looks.lastIndex = start;
    if (!cues.has(thing) && looks.test(text)) alone.forEach(propose);
    for (const one of cues) {
      const id = named.get(one);
      if (id !== undefined) propose(id);
    }
    if (isProposed) return bestOf(sighting, candidates);
    if (cues.has(thing)) return undefined;
    nearby(sighting.left).forEach(propose);
    return bestOf(sighting, candidates, true);
  };
}

/** Sticky; matches wherever a value of any of them may stand that needs no cue. Small letters count here, for all. */
export function looksOf(ids: readonly NationalId[]): RegExp {
  const looks = ids.map(({ form, alone }) => `(?=${alone?.form.source.replaceAll(/[\^$]/g, '')})(?:${form.source})`);
  return new RegExp(looks.join('|'), 'iuy');
}

/** Tells with one look which of the ids have their form at a place, and their values. */
export function createFormReader(ids: readonly NationalId[]): (text: string, start: number) => Map<NationalId, string> {
  const owners = [...Map.groupBy(ids, (id) => id.form.source)];
  /** Sticky; matches anywhere: its groups are the values. */
  const forms = new RegExp(owners.map(([form]) => `(?:(?=(${form}))|)`).join(''), 'iuy');
  return (text, start) => {
    const found = new Map<NationalId, string>();
    forms.lastIndex = start;
    const values = forms.exec(text) ?? [];
    for (let index = 1; index < values.length; index++) {
      const value = values[index];
      if (value !== undefined) for (const id of owners[index - 1]?.[1] ?? []) found.set(id, value);
    }
    return found;
  };
}

function bestOf(
  { start, cues }: Sighting,
  candidates: ReadonlyMap<NationalId, string>,
  isNear = false,
): Finding | undefined {
  const isThing = cues.has(thing);
  const isAnyState = cues.has(anyState);
  let best: Finding | undefined;
  let written = '';
  let compact = '';
  for (const [{ cue: named, check, alone }, value] of candidates) {
    const isNamed = cues.has(named);
    const isAny = isAnyState && check !== anyForm;
    const isAlone = !isNamed && !isAny && !isThing && alone?.form.test(value) === true;
    if (!isNamed && !isAny && !isAlone && !isNear) continue;
    const confidence = isNamed ? 0.95 : isNear ? 0.88 : isAny ? 0.85 : (alone?.confidence ?? 0);
    const end = start + value.length;
    if (best !== undefined && (confidence < best.confidence || (confidence === best.confidence && end <= best.end)))
      continue;
    // Most of them have the same digits.
    if (value !== written) {
      written = value;
      compact = value.replace(/[^\p{L}\p{N}]/gu, '').toUpperCase();
    }
    if (check(compact)) best = { type: 'national_id', start, end, confidence };
  }
  return best;
}
