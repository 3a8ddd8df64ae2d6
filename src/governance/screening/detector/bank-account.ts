import { cue, thing } from '../cue.ts';
import { type Finding, found, type Rule, type Sighting } from '../rule.ts';
import { weighted } from './checksum.ts';
import type { Validators } from './validators.ts';

/** Characters of an IBAN by country (ISO 13616 registry). */
const LENGTHS: Readonly<Record<string, number>> = Object.fromEntries(
  [
    'NO15 BE16 BI27 DK18 FI18 FO18 GL18 NL18 FK18 MK19 SI19 AT20 BA20 EE20 KZ20 XK20 LT20 LU20 MN20 CR22 CH21 HR21 LI21 LV21',
    'BG22 BH22 DE22 GB22 GE22 IE22 ME22 RS22 VA22 AE23 GI23 IL23 IQ23 OM23 SO23 TL23 AD24 CZ24 ES24 MD24 PK24 RO24 SA24 SE24',
    'SK24 TN24 VG24 LY25 PT25 ST25 IS26 TR26 DJ27 FR27 GR27 IT27 MC27 MR27 SM27 AL28 AZ28 BY28 CY28 DO28 GT28 HU28 LB28 NI28',
    'PL28 SV28 BR29 EG29 PS29 QA29 UA29 JO30 KW30 MU30 YE30 MT31 SC31 LC32 RU33 DZ26 IR26 MA28 MZ25',
  ]
    .join(' ')
    .split(' ')
    .map((entry) => [entry.slice(0, 2), Number(entry.slice(2))]),
);

/** IBANs, together or in groups. A text may go on after one: its country says where it ends. */
export function ibanRule({ isIban }: Validators): Rule {
  return {
    pattern: /(?<![\p{L}\p{N}_])[A-Z]{2}[ ]?\d{2}(?:[ -]?[A-Z0-9]){11,30}/giu,
    starter: /[A-Z]/gi,
    reach: 70,
    within: 'line',
    judge({ value, start, text }) {
      const length = LENGTHS[value.slice(0, 2).toUpperCase()];
      if (length === undefined) return undefined;
      let compact = '';
      let at = 0;
      for (; at < value.length && compact.length < length; at++)
        if (/[A-Za-z0-9]/.test(value[at] ?? '')) compact += value[at];
      const end = start + at;
      if (compact.length < length || /[\p{L}\p{N}_]/u.test(text[end] ?? '')) return undefined;
      return isIban(compact.toUpperCase()) ? { type: 'bank_account', start, end, confidence: 0.98 } : undefined;
    },
  };
}

const account = cue(
  'acct|bank ?account|bank ?acct|(?:account|acct|a/c) ?(?:number|no|nr|#)|checking account|savings account|kontonummer|konto ?nr|konto|numéro de compte|compte bancaire|cuenta bancaria|número de cuenta|conto corrente|conta corrente|conta|rekeningnummer|счет|口座番号|银行账号',
);
const routing = cue('routing|routing number|aba|rtn|bankleitzahl|blz|bsb|ifsc|transit');
/** "Sort code 20-45-45 Account 12345678". */
const afterSortCode = /sort ?code[^\n]{6,24}(?<![a-z])(?:account|acct?|a\/c)\.?[:# ]{1,3}$/;
/** National codes of banks: how many digits. */
const bankCodes = [
  { named: cue('bsb'), form: /^\d{3}-?\d{3}$/ },
  { named: cue('blz|bankleitzahl'), form: /^\d{3} ?\d{3} ?\d{2}$/ },
];
const sortCode = cue('sort ?code|sc');
const SORT_CODE = /^\d{2}([ -]?)\d{2}\1\d{2}$/;

/** National account numbers; they have no form of their own, so only what is called one is one. */
export const accountRule: Rule = {
  pattern: /(?<![\p{L}\p{N}_.-])\d(?:[ -]?\d){5,16}(?![\p{L}\p{N}_]|[.-]\d)/gu,
  starter: /\d/g,
  reach: 37,
  within: 'line',
  judge(sighting) {
    const { value } = sighting;
    const digits = value.replace(/\D/g, '');
    if (sighting.follows(sortCode) && SORT_CODE.test(value)) return found('bank_account', sighting, 0.9);
    if (bankCodes.some(({ named, form }) => sighting.follows(named) && form.test(value))) {
      return found('bank_account', sighting, 0.9);
    }
    if (sighting.follows(routing) && digits.length === 9) {
      return weighted(digits, [3, 7, 1, 3, 7, 1, 3, 7, 1]) % 10 === 0
        ? found('bank_account', sighting, 0.9)
        : undefined;
    }
    return accountOf(sighting, digits);
  },
};

function accountOf(sighting: Sighting, digits: string): Finding | undefined {
  if (digits.length < 7 || sighting.follows(thing)) return undefined;
  if (!sighting.follows(account) && !afterSortCode.test(sighting.left)) return undefined;
  return found('bank_account', sighting, 0.8);
}
