import { cue, thing } from '../cue.ts';
import { found, type Rule, type Sighting } from '../rule.ts';
import { luhn } from './checksum.ts';

/** Issuers: first digits, and how many there are. */
const ISSUERS: readonly (readonly [RegExp, readonly number[]])[] = [
  [/^4/, [13, 16, 19]], // Visa
  [/^(?:5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720)/, [16]], // Mastercard
  [/^3[47]/, [15]], // American Express
  [/^(?:6011|64[4-9]|65)/, [16, 17, 18, 19]], // Discover, RuPay
  [/^35(?:2[89]|[3-8])/, [16, 17, 18, 19]], // JCB
  [/^(?:2131|1800)/, [15]], // JCB, old
  [/^(?:30[0-5]|3095|36|3[89])/, [14, 16]], // Diners Club
  [/^(?:5018|5020|5038|5893|6304|6759|676[1-3])/, [12, 13, 14, 15, 16, 17, 18, 19]], // Maestro
  [/^62/, [16, 17, 18, 19]], // UnionPay
  [/^(?:60|81|82|508|353|356)/, [16]], // RuPay
  [/^220[0-4]/, [16, 17, 18, 19]], // Mir
  [/^9792/, [16]], // Troy
  [/^(?:506[01]|507[89]|6500)/, [16, 18, 19]], // Verve
  [/^(?:636368|438935|504175|451416|636297|5067|4576|4011)/, [16]], // Elo
];

const GROUPED =
  /^(?:\d{4}([ -])\d{4}\1\d{4}\1\d{4}(?:\1\d{3})?|\d{4}([ -])\d{6}\2\d{4,5}|\d{4}([ -])\d{4}\3\d{4}\3\d{2,3})$/;
const PLAIN = /^\d+$/;

const named = cue(
  'cards?|card ?holder|pan|cc|ccn|visa|master ?card|mc|amex|american express|discover|jcb|diners|maestro|union ?pay|credit|debit|kreditkarte|karte|kartennummer|carte|carte bancaire|cb|tarjeta|carta|cartão|kaart|kort|karta|kartı|карта|卡号|カード|charge|charged|paid|payment|pay',
);

export const cardRule: Rule = {
  // Where no blanks are written between words, letters of those scripts stand beside it.
  pattern:
    /(?<![\p{N}_.+-]|[^\P{L}\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7a3]|\d[ -])\d(?:[ .-]?\d){11,18}(?![ -]?\d|[\p{N}_]|[^\P{L}\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7a3]|[.-][\p{L}\p{N}])/gu,
  starter: /\d/g,
  reach: 48,
  within: 'line',
  judge(sighting) {
    const { value } = sighting;
    const digits = value.replace(/[^\d]/g, '');
    const isIssued = ISSUERS.some(([first, lengths]) => lengths.includes(digits.length) && first.test(digits));
    if (!isIssued || !luhn(digits) || /^(\d)\1+$/.test(digits)) return undefined;
    if (sighting.follows(named)) return found('credit_card', sighting, 0.99);
    if (sighting.follows(thing)) return undefined;
    if (isAmongHex(sighting)) return undefined;
    if (GROUPED.test(value)) return found('credit_card', sighting, 0.95);
    return PLAIN.test(value) ? found('credit_card', sighting, digits.length > 13 ? 0.94 : 0.75) : undefined;
  },
};

const HEX_BEFORE = /(?<![\da-z])[\da-f]{4} $/;
const HEX_AFTER = / [\dA-F]{4}(?![\dA-Za-z])/y;

/** Tables of code points have groups of four as well, and letters in some. */
function isAmongHex({ text, end, left }: Sighting): boolean {
  HEX_AFTER.lastIndex = end;
  return HEX_AFTER.test(text) || HEX_BEFORE.test(left);
}
