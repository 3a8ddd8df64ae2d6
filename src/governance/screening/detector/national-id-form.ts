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

/** Looks only at the ids that could count here: most places have no word for an id before them, nor the look of one. */
export function judgeWith(ids: readonly NationalId[]): Rule['judge'] {
  const named = new Map<Cue, NationalId>(ids.map((id) => [id.cue, id]));
  const alone = ids.filter((id) => id.alone !== undefined);
  const looks = looksOf(alone);
  const checked = ids.filter((id) => id.check !== anyForm);
  const forms = formsOf(checked);
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
    return candidates.size === 0 ? undefined : bestOf(sighting, candidates);
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

function bestOf({ text, start, cues }: Sighting, candidates: Iterable<NationalId>): Finding | undefined {
  let best: Finding | undefined;
  for (const { form, cue: named, check, alone } of candidates) {
    form.lastIndex = start;
    const value = form.exec(text)?.[0];
    if (value === undefined) continue;
    const isNamed = cues.has(named);
    const isAlone = alone?.form.test(value) === true && !cues.has(thing);
    const isAny = check !== anyForm && cues.has(anyState);
    if (!isNamed && !isAlone && !isAny) continue;
    if (!check(value.replace(/[^\p{L}\p{N}]/gu, '').toUpperCase())) continue;
    const confidence = isNamed ? 0.95 : isAny ? 0.85 : (alone?.confidence ?? 0);
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
