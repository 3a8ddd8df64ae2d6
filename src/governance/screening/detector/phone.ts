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
    'phones?|phone ?numbers?|tele ?phones?|telephones?|tel|ph|cells?|cell ?phone|mobiles?|mobile ?phone|mob|fax|call|called|calling|callback|call back|ring|rang|dial|dialed|dialled|text|texted|sms|whatsapp|whats app|signal|telegram|viber|hotline|helpline|landline|msisdn|reach|reached|contact|contact ?number|my number(?:.s)?|kontakt|contacto|contato|contatto|extension',
    'telefon|telefonnummer|telefonnr|handy|handynummer|mobil|mobilnummer|rufnummer|festnetz|anrufen|notruf|rückruf|téléphone|telephone|tél|portable|appelez|appeler|mobile|teléfono|telefono|móvil|movil|celular|llame|llamar|llama|cellulare|cell|chiamare|telefone|telemóvel|ligue|telefoon|telefoonnummer|mobiel|bel|puh|puhelin|tlf|tlf nr|telefonnummer|komórka|kom|telefonu|cep|gsm|natel',
    'τηλέφωνο|τηλ|телефон|тел|моб|мобильный|звоните|電話|電話番号|携帯|tel番号|电话|手机|手机号|手机号码|联系电话|전화|전화번호|휴대폰|연락처|फ़ोन|هاتف|جوال|טלפון|โทร',
  ].join('|'),
);
/** A sign before digits that is not of a telephone. */
const offset = cue('utc|gmt|offset|zone|diff|delta|score|change|temp');

const NANP = /^(?:\+?1[ .-]?)?(?:\([2-9]\d\d\) ?|[2-9]\d\d[.-])[2-9]\d\d[.-]\d{4}$/;
const GROUPED_FROM_TRUNK = /^\(?0\d{1,4}\)?[ /-] ?\d{2,4}(?:[ -]\d{2,4}){1,3}$/;
const DATE_LIKE =
  /^\(?(?:19|20)\d\d[ ./-](?:0?[1-9]|1[0-2])[ ./-][0-3]?\d(?!\d)|^[0-3]?\d[./-][01]?\d[./-](?:19|20)\d\d(?!\d)/;
const IP_LIKE = /^\d{1,3}(?:\.\d{1,3}){3}$/;
const AMOUNT = /^\d{1,3}(?:[ .]\d{3})+$/;

/** @param regions where numbers without a country code are from, first guess first; several more are tried after a cue */
export function phoneRule(validators: Validators, regions: readonly string[]): Rule {
  const home = regions.filter((region) => validators.planOf(region) !== undefined);
  const anywhere = [...new Set([...home, ...REGIONS])];
  return {
    pattern:
      /(?<![\p{N}_@#$€£.-]|[A-Za-z0-9]\/)(?:\+ ?\(?\d|(?<![A-Za-z])\(?\d)(?:[ .()/-]{0,3}\d){4,16}(?![\p{N}_]|[^\P{L}\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7a3]|[.,-]\d|\.\p{L})/gu,
    starter: /[+(\d]/g,
    reach: 4 + 16 * 4 + 3,
    within: 'line',
    judge(sighting) {
      const { value } = sighting;
      const digits = value.replace(/\D/g, '');
      if (digits.length < 7 && !called.test(sighting.left)) return undefined;
      if (value.startsWith('+')) return international(validators, sighting, digits);
      return atHome(validators, sighting, digits, home, anywhere);
    },
  };
}

function international(validators: Validators, sighting: Sighting, digits: string): Finding | undefined {
  if (offset.test(sighting.left) || digits.length < 7) return undefined;
  const match = matchCountry(validators, digits);
  // "+44 (0)20 …" names the trunk that is not dialled from abroad.
  const other = sighting.value.includes('(0)') ? matchCountry(validators, trunkless(sighting.value)) : undefined;
  if (match === 'valid' || other === 'valid') return found('phone', sighting, 0.93);
  if (match === 'possible' || other === 'possible') {
    // Reserved numbers, of films and of tests, are on no plan.
    return called.test(sighting.left) || digits.length >= 9 ? found('phone', sighting, 0.85) : undefined;
  }
  return undefined;
}

function trunkless(value: string): string {
  return value.replace('(0)', '').replace(/\D/g, '');
}

function matchCountry(validators: Validators, digits: string): 'valid' | 'possible' | undefined {
  for (let length = 1; length <= 3; length++) {
    const regions = validators.regionsOf(digits.slice(0, length));
    if (regions.length === 0) continue;
    const number = digits.slice(length);
    const plans = regions.map((region) => validators.planOf(region)).filter((plan) => plan !== undefined);
    if (plans.some((plan) => plan.numbers.test(number))) return 'valid';
    return plans.some((plan) => plan.lengths.includes(number.length)) ? 'possible' : undefined;
  }
  return undefined;
}

function atHome(
  validators: Validators,
  sighting: Sighting,
  digits: string,
  home: readonly string[],
  anywhere: readonly string[],
): Finding | undefined {
  const { value, left } = sighting;
  if (DATE_LIKE.test(value) || IP_LIKE.test(value)) return undefined;
  const isCalled = called.test(left);
  if (digits.startsWith('00') && digits.length >= 10 && matchCountry(validators, digits.slice(2)) === 'valid') {
    if (isCalled || /[ ./-]/.test(value)) return found('phone', sighting, isCalled ? 0.93 : 0.8);
  }
  if (isCalled) {
    const isValid = anywhere.some((region) => isNumberIn(validators, region, digits));
    return isValid || (digits.startsWith('0') && digits.length >= 9 && digits.length <= 11)
      ? found('phone', sighting, 0.88)
      : undefined;
  }
  if (thing.test(left)) return undefined;
  if (NANP.test(value) && isNumberIn(validators, 'US', digits)) return found('phone', sighting, 0.8);
  if (GROUPED_FROM_TRUNK.test(value) && digits.length >= 9 && digits.length <= 12) {
    if (anywhere.some((region) => isNumberIn(validators, region, digits))) return found('phone', sighting, 0.75);
  }
  if (/[ ()/-]/.test(value) && !AMOUNT.test(value) && digits.length >= 8) {
    if (home.some((region) => isNumberIn(validators, region, digits))) return found('phone', sighting, 0.75);
  }
  return undefined;
}

function isNumberIn(validators: Validators, region: string, digits: string): boolean {
  const plan = validators.planOf(region);
  if (plan === undefined) return false;
  if (plan.numbers.test(digits)) return true;
  return plan.trunk !== '' && digits.startsWith(plan.trunk) && plan.numbers.test(digits.slice(plan.trunk.length));
}
