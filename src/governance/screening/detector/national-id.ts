/**
 * Numbers that states give to people. Each has a form and mostly a check digit; few are so unlike anything else that
 * they are believed without the word for them.
 */
import type { Rule } from '../rule.ts';
import { ean, isMonthDay, luhn, mod1110, remainder, verhoeff, weighted } from './checksum.ts';
import { anyForm, define, judgeWith, type NationalId } from './national-id-form.ts';

const digit = (id: string, at: number) => Number(id[at]);
const isDate = (yymmdd: string) => isMonthDay(Number(yymmdd.slice(2, 4)), Number(yymmdd.slice(4, 6)));
const isDateFromDay = (ddmmyy: string) => isMonthDay(Number(ddmmyy.slice(2, 4)), Number(ddmmyy.slice(0, 2)));
const notUniform = (id: string) => !/^(\d)\1+$/.test(id);

/** Those that begin with a digit. */
export const numericIds: readonly NationalId[] = [
  define(
    '\\d{2}[ ]?\\d{6}[ ]?[A-Z][ ]?\\d{2}[ ]?\\d',
    'rentenversicherungsnummer|sozialversicherungsnummer|versicherungsnummer|sv nummer|sv nr|rvnr|vsnr',
    isGermanPension,
    [/^\d{2} \d{6} [A-Z] ?\d{3}$/, 0.85],
  ),
  define('\\d{12}', "carte d'identité|carte nationale d'identité|cni", anyForm),
  define(
    '\\d{2}[ /-]?\\d{8}[ /-]?\\d{2}',
    'seguridad social|nuss|naf|número de afiliación',
    (id) => Number(id.slice(0, 10)) % 97 === Number(id.slice(10)),
  ),
  define('\\d{1,2}\\.\\d{3}\\.\\d{3}-[\\dX]', 'rg|registro geral|identidade', anyForm),
  define(
    '\\d{3}[ -]?\\d{3}[ -]?\\d{4}',
    'nhs|nhs england|chi',
    (id) => (11 - (weighted(id, [10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11)) % 11 === digit(id, 9),
  ),
  define('[2-9]\\d{3}[ -]?\\d{4}[ -]?\\d{4}', 'aadhaar|aadhar|adhaar|adhar|uidai|uid|आधार', verhoeff),
  define('\\d{11}', 'pesel', (id) => weighted(id, [1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]) % 10 === 0),
  define('\\d{3}\\.?\\d{3}\\.?\\d{3}-?\\d{2}', 'cpf|cadastro de pessoas', isCpf, [/^\d{3}\.\d{3}\.\d{3}-\d{2}$/, 0.92]),
  define('(?:\\d{8}|\\d{2}\\.\\d{3}\\.\\d{3})[ -]?[A-Z]', 'dni|nif|nie|documento|cédula|identidad', isDni, [
    /^\d{8}-?[A-Z]$/,
    0.76,
  ]),
  define(
    '\\d{3}[ -]?\\d{3}[ -]?\\d{3}',
    "sin|social insurance|numéro d'assurance sociale|nas",
    (id) => luhn(id) && !id.startsWith('0000'),
  ),
  define(
    '\\d{3}[ ]?\\d{3}[ ]?\\d{2,3}',
    'tfn|tax file',
    (id) => weighted(id, id.length === 9 ? [1, 4, 3, 7, 5, 8, 6, 9, 10] : [10, 7, 8, 4, 6, 3, 5, 1]) % 11 === 0,
  ),
  define(
    '[2-6]\\d{3}[ ]?\\d{5}[ ]?\\d(?:[ /-]?\\d)?',
    'medicare',
    (id) => weighted(id, [1, 3, 7, 9, 1, 3, 7, 9]) % 10 === digit(id, 8),
  ),
  define(
    '\\d{2}[ ]?\\d{3}[ ]?\\d{3}[ ]?\\d{3}',
    'steuer ?id|steueridentifikationsnummer|steuerliche identifikationsnummer|identifikationsnummer|idnr|tin|steuernummer',
    mod1110,
  ),
  define(
    '[12][ ]?\\d{2}[ ]?\\d{2}[ ]?(?:\\d{2}|2[AB])[ ]?\\d{3}[ ]?\\d{3}[ ]?\\d{2}',
    'nir|insee|sécurité sociale|securite sociale|sécu|secu',
    isNir,
    [/^[12] ?\d{2} ?(?:0[1-9]|1[0-2]) ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}$/i, 0.86],
  ),
  define(
    '\\d{4}[ .]?\\d{2}[ .]?\\d{3}|\\d{8,9}',
    'bsn|burgerservicenummer|sofinummer|sofi',
    (id) => notUniform(id) && weighted(id.padStart(9, '0'), [9, 8, 7, 6, 5, 4, 3, 2, -1]) % 11 === 0,
  ),
  define(
    '\\d{2}\\.?\\d{2}\\.?\\d{2}[ -]?\\d{3}[ .]?\\d{2}',
    'rijksregisternummer|rijksregister|registre national|numéro national|national register|nrn',
    isBelgian,
    [/^\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}$/, 0.92],
  ),
  define(
    '(?:19|20)?\\d{6}[-+]?\\d{4}',
    'personnummer|personnr|person ?nummer|samordningsnummer|personal identity',
    (id) => luhn(id.slice(-10)) && isMonthDay(Number(id.slice(-8, -6)), Number(id.slice(-6, -4)) % 60),
    [/^(?:19|20)\d{6}-\d{4}$/, 0.8],
  ),
  define('\\d{6}[-+A-FU-Y]\\d{3}[0-9A-Y]', 'hetu|henkilötunnus|henkilotunnus|personbeteckning', isHetu, [/./, 0.9]),
  define('\\d{6}[ -]?\\d{4}', 'cpr|cpr nummer|cpr nr|personnummer', isDateFromDay),
  define(
    '\\d{6}[ ]?\\d{5}',
    'fødselsnummer|fodselsnummer|fnr|personnummer',
    (id) =>
      weighted(id, [3, 7, 6, 1, 8, 9, 4, 5, 2, 1]) % 11 === 0 &&
      weighted(id, [5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]) % 11 === 0,
  ),
  define('756\\.?\\d{4}\\.?\\d{4}\\.?\\d{2}', 'ahv|ahv nummer|ahv nr|avs|sozialversicherungsnummer', ean, [
    /^756\.\d{4}\.\d{4}\.\d{2}$/,
    0.93,
  ]),
  define(
    '\\d{4}[ ]?\\d{6}',
    'svnr|sv nummer|sozialversicherungsnummer|versicherungsnummer',
    (id) => weighted(id, [3, 7, 9, 0, 5, 8, 4, 2, 1, 6]) % 11 === digit(id, 3),
  ),
  define('\\d{6}/?\\d{3,4}', 'rodné číslo|rodne cislo|rč|birth number', isCzech, [/^\d{6}\/\d{4}$/, 0.85]),
  define(
    '[1-9]\\d{12}',
    'cnp|cod numeric personal',
    (id) => (weighted(id, [2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11) % 10 === digit(id, 12),
  ),
  define('\\d{10}', 'egn|егн', (id) => (weighted(id, [2, 4, 8, 5, 10, 9, 7, 3, 6]) % 11) % 10 === digit(id, 9)),
  define('\\d{11}', 'oib|osobni identifikacijski broj', mod1110),
  define('[1-6]\\d{10}', 'isikukood|asmens kodas|personal code', isBaltic),
  define('\\d{13}', 'jmbg|matični broj', (id) => isDateFromDay(id)),
  define(
    '\\d{3} ?\\d{3} ?\\d{3}',
    'nif|contribuinte|número de identificação fiscal',
    (id) => ((11 - (weighted(id, [9, 8, 7, 6, 5, 4, 3, 2]) % 11)) % 11) % 10 === digit(id, 8),
  ),
  define('\\d{9}', 'afm|αφμ|α φ μ', (id) => (weighted(id, [256, 128, 64, 32, 16, 8, 4, 2]) % 11) % 10 === digit(id, 8)),
  define('\\d{11}', 'amka|αμκα', (id) => isDateFromDay(id) && luhn(id)),
  define('[1-9]\\d{10}', 't\\.?c\\.? ?kimlik|tc kimlik|tckn|kimlik|tc', isTurkish),
  define('\\d{7,8}[ ]?[A-W][A-IW]?', 'pps|ppsn', isPps),
  define('\\d{9}', 'teudat zehut|israeli id|תעודת זהות|ת\\.ז\\.', luhn),
  define(
    '\\d{13}',
    'south africa|south african id|id number|identity number|id|national id|rsa id',
    (id) => isDate(id) && luhn(id),
  ),
  define('\\d{6}(?:19|20)\\d{9}[\\dX]', '身份证|身份证号|身份证号码|resident id|id card|id', isChinese, [/./, 0.93]),
  define('\\d{6}-[1-8]\\d{6}', '주민등록번호|rrn|resident registration', isDate, [/./, 0.85]),
  define(
    '\\d{4}[ -]?\\d{4}[ -]?\\d{4}',
    'マイナンバー|個人番号|my number|mynumber',
    (id) => ((11 - (weighted(id, [6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11)) % 11) % 10 === digit(id, 11),
  ),
  define('\\d{6}-?\\d{2}-?\\d{4}', 'mykad|nric|ic|kad pengenalan', isDate, [/^\d{6}-\d{2}-\d{4}$/, 0.76]),
  define(
    '\\d[ -]?\\d{4}[ -]?\\d{5}[ -]?\\d{2}[ -]?\\d',
    'thai id|บัตรประชาชน|เลขประจำตัวประชาชน|citizen id|national id|id',
    isThai,
    [/^\d-\d{4}-\d{5}-\d{2}-\d$/, 0.93],
  ),
  define('\\d{16}', 'nik|ktp|nomor induk', (id) => isMonthDay(Number(id.slice(8, 10)), Number(id.slice(6, 8)) % 40)),
  define('\\d{5}-?\\d{7}-?\\d', 'cnic|nicop|شناختی', anyForm, [/^\d{5}-\d{7}-\d$/, 0.8]),
  define('784-?\\d{4}-?\\d{7}-?\\d', 'emirates id|eid', luhnOrForm, [/^784-\d{4}-\d{7}-\d$/, 0.93]),
  define('[12]\\d{9}', 'iqama|saudi id|national id|الهوية', luhn),
  define('[23]\\d{13}', 'national id|الرقم القومي|egyptian id', (id) => isDate(id.slice(1))),
  define('\\d{3}-?\\d{3}-?\\d{3}[ -]?\\d{2}', 'снилс|snils', isSnils, [/^\d{3}-\d{3}-\d{3} \d{2}$/, 0.9]),
  define('\\d{12}', 'инн|inn', isInn),
  define(
    '\\d{10}',
    'рнокпп|ипн|іпн|rnokpp',
    (id) => (weighted(id, [-1, 5, 7, 9, 4, 6, 10, 5, 7]) % 11) % 10 === digit(id, 9),
  ),
  define('\\d{1,2}\\.?\\d{3}\\.?\\d{3}-?[\\dK]', 'rut|run|rol único', isRut, [/^\d{1,2}\.\d{3}\.\d{3}-[\dK]$/i, 0.92]),
  define(
    '\\d{2}-?\\d{8}-?\\d',
    'cuit|cuil',
    (id) => (11 - (weighted(id, [5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11)) % 11 === digit(id, 10),
  ),
  define('\\d{1,3}\\.?\\d{3}\\.?\\d{3}', 'dni|cédula|cedula|cc|documento|documento de identidad|ci', anyForm),
  define(
    '[1-9][AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y]\\d-?[AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y]\\d-?[AC-HJKMNP-RT-Y]{2}\\d{2}',
    'mbi|medicare|medicare beneficiary',
    anyForm,
    [
      /^[1-9][AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y]\d-[AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y]\d-[AC-HJKMNP-RT-Y]{2}\d{2}$/,
      0.88,
    ],
  ),
];

export const letteredIds: readonly NationalId[] = [
  define(
    '[A-Z]\\d{9}',
    'krankenversichertennummer|krankenversicherungsnummer|versichertennummer|versichertennr|kvnr',
    isGermanHealth,
  ),
  define(
    '[A-Z]{3}[ ]?\\d{6}',
    'dowód osobisty|dowodu osobistego|numer dowodu|nr dowodu|seria i numer dowodu',
    isPolishCard,
  ),
  define(
    '[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z][ -]?\\d{2}[ -]?\\d{2}[ -]?\\d{2}[ -]?[A-D]',
    'ni|nino|n\\.i\\.|national insurance',
    (id) => !/^(?:GB|BG|NK|KN|TN|NT|ZZ)/.test(id),
    [/^[A-Z]{2} ?\d{2} \d{2} \d{2} [A-D]$|^[A-Z]{2}\d{6}[A-D]$/, 0.8],
  ),
  define('[XYZ][ -]?\\d{7}[ -]?[A-Z]', 'nie|nif|dni', isNie, [/^[XYZ]-?\d{7}-?[A-Z]$/, 0.86]),
  define(
    '[A-Z]{6}[0-9LMNP-V]{2}[A-EHLMPRST][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z]',
    'codice fiscale|cod\\. ?fisc\\.?|c\\.? ?f\\.?|cf|fiscale',
    anyForm,
    [/^[A-Z]{6}[0-9LMNP-V]{2}[A-EHLMPRST][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z]$/i, 0.92],
  ),
  define('[A-Z]{3}[ABCFGHLJPT][A-Z]\\d{4}[A-Z]', 'pan|pan card|permanent account', anyForm, [
    /^[A-Z]{3}P[A-Z]\d{4}[A-Z]$/,
    0.8,
  ]),
  define('[STFGM]\\d{7}[A-Z]', 'nric|fin|singapore id', isNric, [/^[STFGM]\d{7}[A-Z]$/, 0.9]),
  define('[A-Z]{1,2}\\d{6}(?:\\([0-9A]\\)|[0-9A])', 'hkid|hong kong id|身份證|身份證號碼', anyForm, [
    /^[A-Z]{1,2}\d{6}\([0-9A]\)$/,
    0.88,
  ]),
  define('[A-Z][1289]\\d{8}', '身分證|身分證字號|taiwan id|national id|arc', isTaiwanese),
  define('[A-Z][AEIOUX][A-Z]{2}\\d{6}[HMX][A-Z]{5}[0-9A-Z]\\d', 'curp', (id) => isDate(id.slice(4)), [
    /^[A-Z]{4}\d{6}[HM]/i,
    0.92,
  ]),
  define('[A-ZÑ&]{4}\\d{6}[A-Z0-9]{3}', 'rfc', (id) => isDate(id.slice(4))),
  define(
    '[A-Z0-9]{9,10}',
    "personalausweis|personalausweisnummer|ausweisnummer|ausweis|carte d'identité|carta d'identità|id card",
    (id) => /\d.*\d.*\d/.test(id) && /[A-Z]/.test(id),
  ),
  define('[A-Z]{2}[ ]?\\d{6}[ ]?[A-D]?', 'ni|nino|national insurance', anyForm),
];

export const numericIdRule: Rule = {
  // Where no blanks are written between words, letters of those scripts stand beside it.
  pattern:
    /(?=\d)(?<![\p{N}_.-]|[^\P{L}\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7a3]|\d[ /])\d(?:[ ./+-]?[\dA-Z]){6,19}(?![\dA-Z])/giu,
  starter: /\d/g,
  reach: 44,
  within: 'line',
  judge: judgeWith(numericIds),
};

export const letteredIdRule: Rule = {
  pattern:
    /(?<![\p{L}\p{N}_.-])(?=[A-Z]{1,6}[ -]?\d|[A-Z]{6}[0-9LMNP-V])[A-Z]{1,6}[ -]?[0-9A-Z](?:[ -]?[\dA-Z]){5,14}(?:\([0-9A]\))?/gu,
  starter: /[A-Z]/g,
  reach: 48,
  within: 'line',
  judge: judgeWith(letteredIds),
};

const DNI_LETTERS = 'TRWAGMYFPDXBNJZSQVHLCKE';

function isDni(id: string): boolean {
  return DNI_LETTERS[Number(id.slice(0, 8)) % 23] === id.at(-1);
}

function isNie(id: string): boolean {
  return isDni(`${'XYZ'.indexOf(id.charAt(0))}${id.slice(1)}`);
}

function isCpf(id: string): boolean {
  const first = (weighted(id, [10, 9, 8, 7, 6, 5, 4, 3, 2]) * 10) % 11;
  const second = (weighted(id, [11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) * 10) % 11;
  return notUniform(id) && first % 10 === digit(id, 9) && second % 10 === digit(id, 10);
}

/** The digits of the products are added. */
function crossSum(digits: string, weights: readonly number[]): number {
  let sum = 0;
  for (const [at, weight] of weights.entries()) {
    const product = digit(digits, at) * weight;
    sum += Math.floor(product / 10) + (product % 10);
  }
  return sum;
}

/** A counts as 01. */
function letterAsDigits(letter: string): string {
  return String(letter.charCodeAt(0) - 64).padStart(2, '0');
}

function isGermanPension(id: string): boolean {
  const digits = id.slice(0, 8) + letterAsDigits(id.charAt(8)) + id.slice(9, 11);
  return crossSum(digits, [2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1]) % 10 === digit(id, 11);
}

function isGermanHealth(id: string): boolean {
  const digits = letterAsDigits(id.charAt(0)) + id.slice(1, 9);
  return crossSum(digits, [1, 2, 1, 2, 1, 2, 1, 2, 1, 2]) % 10 === digit(id, 9);
}

function isPolishCard(id: string): boolean {
  const weights = [7, 3, 1, 9, 7, 3, 1, 7, 3];
  return weights.reduce((sum, weight, at) => sum + weight * Number.parseInt(id.charAt(at), 36), 0) % 10 === 0;
}

function isNir(id: string): boolean {
  const digits = id.replace('2A', '19').replace('2B', '18');
  return 97 - remainder(digits.slice(0, 13), 97) === Number(digits.slice(13));
}

function isBelgian(id: string): boolean {
  const check = Number(id.slice(9));
  return 97 - remainder(id.slice(0, 9), 97) === check || 97 - remainder(`2${id.slice(0, 9)}`, 97) === check;
}

function isHetu(id: string): boolean {
  const digits = id.slice(0, 6) + id.slice(-4, -1);
  return isDateFromDay(id) && '0123456789ABCDEFHJKLMNPRSTUVWXY'[Number(digits) % 31] === id.at(-1);
}

function isCzech(id: string): boolean {
  const month = Number(id.slice(2, 4)) % 50;
  const isDay = isMonthDay(month > 20 ? month - 20 : month, Number(id.slice(4, 6)));
  return isDay && (id.length === 9 || Number(id) % 11 === 0 || (Number(id.slice(0, 9)) % 11) % 10 === digit(id, 9));
}

function isBaltic(id: string): boolean {
  const first = weighted(id, [1, 2, 3, 4, 5, 6, 7, 8, 9, 1]) % 11;
  const check = first < 10 ? first : (weighted(id, [3, 4, 5, 6, 7, 8, 9, 1, 2, 3]) % 11) % 10;
  return check === digit(id, 10);
}

function isTurkish(id: string): boolean {
  const odd = weighted(id, [1, 0, 1, 0, 1, 0, 1, 0, 1]);
  const even = weighted(id, [0, 1, 0, 1, 0, 1, 0, 1]);
  const tenth = (((odd * 7 - even) % 10) + 10) % 10;
  return tenth === digit(id, 9) && (odd + even + tenth) % 10 === digit(id, 10);
}

function isPps(id: string): boolean {
  const letters = id.replace(/\d/g, '');
  const second = letters.length > 1 ? (letters.charCodeAt(1) - 64) % 23 : 0;
  return 'WABCDEFGHIJKLMNOPQRSTUV'[(weighted(id, [8, 7, 6, 5, 4, 3, 2]) + second * 9) % 23] === letters.charAt(0);
}

function isChinese(id: string): boolean {
  const weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
  const isDay = isMonthDay(Number(id.slice(10, 12)), Number(id.slice(12, 14)));
  return isDay && '10X98765432'[weighted(id, weights) % 11] === id.at(-1);
}

function isThai(id: string): boolean {
  return (11 - (weighted(id, [13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11)) % 10 === digit(id, 12);
}

function isSnils(id: string): boolean {
  return (weighted(id, [9, 8, 7, 6, 5, 4, 3, 2, 1]) % 101) % 100 === Number(id.slice(9));
}

function isInn(id: string): boolean {
  const first = (weighted(id, [7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11) % 10;
  const second = (weighted(id, [3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11) % 10;
  return first === digit(id, 10) && second === digit(id, 11);
}

function isRut(id: string): boolean {
  const body = id.slice(0, -1).padStart(8, '0');
  const check = 11 - (weighted(body, [3, 2, 7, 6, 5, 4, 3, 2]) % 11);
  return (check === 11 ? '0' : check === 10 ? 'K' : String(check)) === id.at(-1);
}

function isNric(id: string): boolean {
  const offset = { S: 0, F: 0, T: 4, G: 4, M: 3 }[id.charAt(0)] ?? 0;
  const at = (weighted(id.slice(1), [2, 7, 6, 5, 4, 3, 2]) + offset) % 11;
  const letters = /^[ST]/.test(id) ? 'JZIHGFEDCBA' : id.startsWith('M') ? 'XWUTRQPNJLK' : 'XWUTRQPNMLK';
  return letters[id.startsWith('M') ? 10 - at : at] === id.at(-1) || letters[at] === id.at(-1);
}

function isTaiwanese(id: string): boolean {
  const letter = 'ABCDEFGHJKLMNPQRSTUVXYWZIO'.indexOf(id.charAt(0)) + 10;
  return (Math.floor(letter / 10) + (letter % 10) * 9 + weighted(id.slice(1), [8, 7, 6, 5, 4, 3, 2, 1, 1])) % 10 === 0;
}

function luhnOrForm(id: string): boolean {
  return id.startsWith('784');
}
