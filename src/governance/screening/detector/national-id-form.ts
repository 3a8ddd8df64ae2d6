/**
 * The form of a number that a state gives to people, and how it is told which of them stands at a place of a text.
 */
import { type Cue, cue, thing } from '../cue.ts';
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

const END = '(?![\\p{L}\\p{N}_]|[./-][\\p{L}\\p{N}])';

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

/** Which ids have a name that stands before, with other words between; no other number, and no end of a sentence. */
function nearWith(ids: readonly NationalId[]): (left: string) => readonly NationalId[] {
  const byWord = new Map<string, NationalId[]>();
  for (const id of ids) {
    for (const word of id.cue.words) if (!AMBIGUOUS.has(word)) byWord.set(word, [...(byWord.get(word) ?? []), id]);
  }
  const words = [...byWord.keys()].sort((one, other) => other.length - one.length);
  const longest = words[0]?.length ?? 0;
  const pattern = new RegExp(
    `(?<![a-z0-9à-ÿ])(?<word>${words.map((word) => RegExp.escape(word)).join('|')})(?![a-zà-ÿ]).{0,${NEAR}}$`,
    'u',
  );
  return (left) => {
    let from = left.length;
    while (from > 0 && !ends(left.charCodeAt(from - 1))) from--;
    const tail = left.slice(Math.max(from, left.length - NEAR - longest - 1));
    if (tail.length < 4) return [];
    return byWord.get(pattern.exec(tail)?.groups?.['word'] ?? '') ?? [];
  };
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
  const forms = formsOf(checked);
  const nearby = nearWith(checked);
  return (sighting) => {
    const { text, start, cues } = sighting;
    const candidates = new Set<NationalId>();
    if (cues.has(anyState)) {
      forms.lastIndex = start;
      const values = forms.exec(text) ?? [];
      for (const [index, id] of checked.entries()) if (values[index + 1] !== undefined) candidates.add(id);
    }
    looks.lastIndex = start;
    if (!cues.has(thing) && looks.test(text)) for (const id of alone) candidates.add(id);
    for (const one of cues) {
      const id = named.get(one);
      if (id !== undefined) candidates.add(id);
    }
    if (candidates.size > 0) return bestOf(sighting, candidates);
    const near = cues.has(thing) ? [] : nearby(sighting.left);
    return near.length === 0 ? undefined : bestOf(sighting, near, true);
  };
}

/** Sticky; matches wherever a value of any of them may stand that needs no cue. Small letters count here, for all. */
export function looksOf(ids: readonly NationalId[]): RegExp {
  const looks = ids.map(({ form, alone }) => `(?=${alone?.form.source.replaceAll(/[\^$]/g, '')})(?:${form.source})`);
  return new RegExp(looks.join('|'), 'iuy');
}

/** Sticky; matches anywhere, and its groups are the values of those ids that have their form there: one look for all. */
export function formsOf(ids: readonly NationalId[]): RegExp {
  return new RegExp(ids.map(({ form }) => `(?:(?=(${form.source}))|)`).join(''), 'iuy');
}

function bestOf(
  { text, start, cues }: Sighting,
  candidates: Iterable<NationalId>,
  isNear = false,
): Finding | undefined {
  let best: Finding | undefined;
  for (const { form, cue: named, check, alone } of candidates) {
    form.lastIndex = start;
    const value = form.exec(text)?.[0];
    if (value === undefined) continue;
    const isNamed = cues.has(named);
    const isAlone = alone?.form.test(value) === true && !cues.has(thing);
    const isAny = check !== anyForm && cues.has(anyState);
    if (!isNamed && !isAlone && !isAny && !isNear) continue;
    if (!check(value.replace(/[^\p{L}\p{N}]/gu, '').toUpperCase())) continue;
    const confidence = isNamed ? 0.95 : isNear ? 0.88 : isAny ? 0.85 : (alone?.confidence ?? 0);
    if (
      best === undefined ||
      confidence > best.confidence ||
      (confidence === best.confidence && start + value.length > best.end)
    ) {
      best = { type: 'national_id', start, end: start + value.length, confidence };
    }
  }
  return best;
}
