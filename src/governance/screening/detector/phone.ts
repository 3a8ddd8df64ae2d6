import { cue, thing } from '../cue.ts';
import { type Finding, found, type Rule, type Sighting } from '../rule.ts';
import type { Validators } from './validators.ts';

/** Where a number without a country code may be from, when nobody says: the plans of most of the world's telephones. */
const REGIONS =
  'US GB DE FR IT ES NL BE AT CH AU NZ IN BR MX JP CN KR SE NO DK FI PL PT IE CZ HU RO GR TR RU UA IL ZA NG KE EG AE SA SG MY ID PH TH VN HK TW AR CL CO PE'.split(
    ' ',
  );

const called = cue(
  [
    'phones?|phone ?numbers?|tele ?phones?|telephones?|tel|ph|cells?|cell ?phone|mobiles?|mobile ?phone|mob|fax|call|called|calling|callback|call back|callback requested|(?:alternate|alternative|secondary|registered|home|work|office|private|direct|personal|backup)(?: mobile| phone)?(?: number| no)|messages? to|ring|rang|dial|dialed|dialled|text|texted|sms|whatsapp|whats app|signal|telegram|viber|hotline|helpline|landline|msisdn|reach|reached|contact|contact ?number|kontakt|contacto|contato|contatto|extension',
    "my number(?:['´`]s)?",
    '(?:tel|tél|teléfono|telefono|téléphone|telefone|telefon|telefoon|phone|numéro|número|numero)(?:[.:])? \\(?(?:fijo|fisso|fixe|fixo|vast|festnetz|móvil|portable|privat|geschäftlich|bureau|home|work|office)|appelez moi|rappelez moi|joindre|joignable|llámame|llámeme|llamarme|chiamami|me ligue|bel mij|zadzwoń|dzwonić|erreichen|erreichbar|erreicht|erreicht ihr|erreichst du|erreichen sie|erreichen sie mich|erreichen sie uns|rufen sie mich|ruf mich|telefon|telefonnummer|telefonnr|handy|handynummer|mobil|mobilnummer|rufnummer|festnetz|anrufen|notruf|rückruf|téléphone|telephone|tél|portable|appelez|appeler|mobile|teléfono|telefono|móvil|movil|celular|llame|llamar|llama|cellulare|cell|chiamare|telefone|telemóvel|ligue|telefoon|telefoonnummer|mobiel|bel|puh|puhelin|tlf|tlf nr|telefonnummer|komórka|kom|telefonu|cep|gsm|natel',
    'τηλέφωνο|τηλ|телефон|тел|моб|мобильный|звоните|電話|電話番号|携帯|tel番号|电话|手机|手机号|手机号码|联系电话|전화|전화번호|휴대폰|연락처|फ़ोन|टेलीफोन|दूरभाष|मोबाइल|هاتف|جوال|טלפון|โทร',
  ].join('|'),
);
/** Words for the thing itself: after "call" and "text" numbers stand for much else. */
const telephone = cue(
  'phones?|phone ?numbers?|tele ?phones?|tel|ph|cell ?phone|mobile ?phone|mob|fax|extension|telefon|telefonnummer|handy|rufnummer|durchwahl|téléphone|tél|teléfono|telefono|telefone|telefoon|puh|tlf|телефон|тел|電話|電話番号|电话|手机|전화|전화번호',
);
/** A sign before digits that is not of a telephone. */
const offset = cue('utc|gmt|offset|zone|diff|delta|score|change|temp');

const NANP = /^(?:\+?1[ .-]?)?(?:\([2-9]\d\d\) ?|[2-9]\d\d[.-])[2-9]\d\d[.-]\d{4}$/;
const GROUPED_FROM_TRUNK = /^\(?0\d{1,4}\)?[ /-] ?\d{2,4}(?:[ -]\d{2,4}){1,3}$/;
/** "0065 0302 0304": groups of a table, not of a number. */
const PADDED = /^0\d{3}(?: 0\d{3})+$|^00\d\d \d/;
const DATE_LIKE =
  /^\(?(?:19|20)\d\d[ ./-](?:0?[1-9]|1[0-2])[ ./-][0-3]?\d(?!\d)|^[0-3]?\d[./-][01]?\d[./-](?:19|20)\d\d(?!\d)/;
const IP_LIKE = /^\d{1,3}(?:\.\d{1,3}){3}(?:\/\d{1,2})?$/;
/** "2016-2017", "20260314", "07/10/96 4", "1..100000". */
const YEARS = /^(?:19|20)\d\d[-/](?:19|20)\d\d$/;
const COMPACT_DATE = /^(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])$/;
const RANGE = /\.\.|^\d{1,2}\/\d{1,2}\/\d\d /;
/** Bytes: pairs of digits among other pairs. */
const PAIRS = /^\d\d(?:[ -]\d\d){3,}$/;
const PAIR_AFTER = /[ -][\da-f]{2}(?![\da-z])/iy;
const PAIR_BEFORE = /(?<![\da-z])[\da-f]{2}[ -]$/;
const AMOUNT = /^\d{1,3}(?:[ .]\d{3})+$/;

/** @param regions where numbers without a country code are from, first guess first; several more are tried after a cue */
export function phoneRule(validators: Validators, regions: readonly string[]): Rule {
  const home = regions.filter((region) => validators.planOf(region) !== undefined);
  const atHome = plansOf(validators, home);
  const anywhere = plansOf(validators, [...new Set([...home, ...REGIONS])]);
  const unitedStates = plansOf(validators, ['US']);
  const abroad = countriesOf(validators);
  return {
    pattern:
      /(?<![\p{N}_@#$€£.-]|[A-Za-z0-9]\/)(?:\+ ?\(?\d|(?<![A-Za-z])\(?\d|(?<=%2B)\d)(?:[ .()/-]{0,3}\d){4,16}(?<extension>,? ?(?:[Xx]|[Ee]xt\.?|EXT\.?|extension|DW) ?\d{1,6})?(?![\p{N}_]|[^\P{L}\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7a3]|[.,-]\d|\.\p{L})/gu,
    starter: /[+(\d]/g,
    reach: 4 + 16 * 4 + 18 + 5,
    within: 'line',
    judge(sighting) {
      const value = sighting.value.slice(0, sighting.value.length - (sighting.groups['extension']?.length ?? 0));
      const digits = value.replace(/\D/g, '');
      if (digits.length < 7 && !sighting.follows(telephone)) return undefined;
      if (value.startsWith('+') || sighting.text.startsWith('%2B', sighting.start - 3))
        return international(abroad, sighting, value, digits);
      return national({ abroad, atHome, anywhere, unitedStates }, sighting, value, digits);
    },
  };
}

function international(abroad: Countries, sighting: Sighting, value: string, digits: string): Finding | undefined {
  if (sighting.follows(offset) || digits.length < 7) return undefined;
  // A sum: "h * 31 + 907133923".
  if (/^\+ \d+$/.test(value) && !sighting.follows(called)) return undefined;
  const match = matchCountry(abroad, digits);
  // "+44 (0)20 …" names the trunk that is not dialled from abroad.
  const other = value.includes('(0)') ? matchCountry(abroad, trunkless(value)) : undefined;
  if (match === 'valid' || other === 'valid') return found('phone', sighting, 0.93);
  if (match === 'possible' || other === 'possible') {
    // Reserved numbers, of films and of tests, are on no plan.
    return sighting.follows(called) || digits.length >= 9 ? found('phone', sighting, 0.85) : undefined;
  }
  return undefined;
}

function trunkless(value: string): string {
  return value.replace('(0)', '').replace(/\D/g, '');
}

/** What is dialled from abroad: a calling code and a number there. */
type Countries = (callingCode: string) => Plans | undefined;

function countriesOf(validators: Validators): Countries {
  const known = new Map<string, Plans | undefined>();
  return (callingCode) => {
    if (!known.has(callingCode)) {
      const regions = validators.regionsOf(callingCode);
      known.set(callingCode, regions.length === 0 ? undefined : plansOf(validators, regions));
    }
    return known.get(callingCode);
  };
}

function matchCountry(abroad: Countries, digits: string): 'valid' | 'possible' | undefined {
  for (let length = 1; length <= 3; length++) {
    const plans = abroad(digits.slice(0, length));
    if (plans === undefined) continue;
    const number = digits.slice(length);
    // Mobile telephones of Mexico had a 1 before the number until 2019; it is still written.
    const plain = digits.startsWith('521') && number.length === 11 ? number.slice(1) : number;
    if (plans.numbers.test(plain)) return 'valid';
    return plans.lengths.has(plain.length) ? 'possible' : undefined;
  }
  return undefined;
}

interface NationalPlans {
  readonly abroad: Countries;
  readonly atHome: Plans;
  readonly anywhere: Plans;
  readonly unitedStates: Plans;
}

function national(
  { abroad, atHome, anywhere, unitedStates }: NationalPlans,
  sighting: Sighting,
  value: string,
  digits: string,
): Finding | undefined {
  const isCalled = sighting.follows(called);
  // Digits alone are anything.
  if (!isCalled && value.length === digits.length) return undefined;
  if (DATE_LIKE.test(value) || IP_LIKE.test(value) || YEARS.test(value) || RANGE.test(value)) return undefined;
  if (/^0+$/.test(digits)) return undefined;
  if (PAIRS.test(value) && isAmongBytes(sighting)) return undefined;
  if (COMPACT_DATE.test(value) && !sighting.follows(telephone)) return undefined;
  if (digits.startsWith('00') && digits.length >= 10 && matchCountry(abroad, digits.slice(2)) === 'valid') {
    if (isCalled || /[ ./-]/.test(value)) return found('phone', sighting, isCalled ? 0.93 : 0.8);
  }
  if (isCalled) {
    const isValid = isNumberIn(anywhere, digits);
    return isValid || (digits.startsWith('0') && digits.length >= 9 && digits.length <= 11)
      ? found('phone', sighting, 0.88)
      : undefined;
  }
  if (sighting.follows(thing)) return undefined;
  if (NANP.test(value) && isNumberIn(unitedStates, digits)) return found('phone', sighting, 0.8);
  if (PADDED.test(value)) return undefined;
  if (GROUPED_FROM_TRUNK.test(value) && digits.length >= 9 && digits.length <= 12) {
    if (isNumberIn(anywhere, digits)) return found('phone', sighting, 0.75);
  }
  if (/[ ()/-]/.test(value) && !AMOUNT.test(value) && digits.length >= 8) {
    if (isNumberIn(atHome, digits)) return found('phone', sighting, 0.75);
  }
  return undefined;
}

function isAmongBytes({ text, end, left }: Sighting): boolean {
  PAIR_AFTER.lastIndex = end;
  return PAIR_AFTER.test(text) || PAIR_BEFORE.test(left);
}

/** The numbering plans of several countries, as one. */
interface Plans {
  /** Numbers that exist in any of them, without trunk. */
  readonly numbers: RegExp;
  /** The same with the trunk before them that their country dials. */
  readonly withTrunk: RegExp;
  /** How many digits a number may have in any of them. */
  readonly lengths: ReadonlySet<number>;
}

function plansOf(validators: Validators, regions: readonly string[]): Plans {
  const plans = regions.map((region) => validators.planOf(region)).filter((plan) => plan !== undefined);
  const trunks = plans.filter((plan) => plan.trunk !== '');
  return {
    numbers: anyOf(plans.map((plan) => plan.number)),
    withTrunk: anyOf(trunks.map((plan) => `${plan.trunk}(?:${plan.number})`)),
    lengths: new Set(plans.flatMap((plan) => plan.lengths)),
  };
}

/** Without alternatives it matches nothing. */
function anyOf(patterns: readonly string[]): RegExp {
  return patterns.length === 0 ? /(?!)/ : new RegExp(`^(?:${[...new Set(patterns)].join('|')})$`);
}

function isNumberIn({ numbers, withTrunk }: Plans, digits: string): boolean {
  return numbers.test(digits) || withTrunk.test(digits);
}
