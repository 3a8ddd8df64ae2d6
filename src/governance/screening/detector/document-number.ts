import { cue } from '../cue.ts';
import { found, type Rule } from '../rule.ts';

const passport = cue(
  'passports?|passport ?(?:number|no|nr|num|book)|reisepass|reisepassnummer|reisepass nr|passnummer|pass nr|passeport|pasaporte|passaporto|passaporte|paspoort|paspoortnummer|pass|paszport|paszportu|numer paszportu|nr paszportu|паспорт|паспорта|护照|护照号|護照|パスポート|旅券|여권|여권번호',
);
const license = cue(
  "driver'?s? ?licen[cs]es?|drivers? lic|driving ?licen[cs]es?|driver'?s? permit|driving permit|dl|d\\.l\\.|dln|licen[cs]ia de conducir|permiso de conducir|carnet de conducir|führerschein|führerscheinnummer|fuehrerschein|permis de conduire|permis|patente|patente di guida|carta de condução|cnh|rijbewijs|rijbewijsnummer|körkort|prawo jazdy|водительское удостоверение|運転免許証|驾驶证|驾照|운전면허",
);

const COMPACT_DATE = /^(?:19|20)\d\d(?:0[1-9]|1[0-2])[0-3]\d$/;

/** "patente" is a licence and a patent. */
const PATENT = /^(?:EP|US|WO|DE|IT|ES|FR)\d{6,10}[A-CU]\d?$/;
/** Great Britain's: five letters of the name, the date of birth, initials, and a check. */
const BRITISH = /^[A-Z9]{5}\d[0156]\d[0-3]\d\d[A-Z9]{2}[A-Z\d][A-Z]{2}$/;
const DATE = /^\d{1,2}[/-]\d{1,2}[/-]\d{2,4}$|^\d{4}[/-]\d{1,2}[/-]\d{1,2}$/;

/** Passports and driving licences have a form per state and no check: what is called one, and has digits, is one. */
export const documentRule: Rule = {
  // Digits, and up to six letters and digits after them, are read in one way only, or groups of them cost their ways to the fourth.
  pattern:
    /(?<![A-Za-z0-9_.-])(?=[A-Z]{1,3}[ -]\d|[A-Z9]{5} \d{6} |[A-Za-z0-9]{0,8}\d)(?<![\p{L}\p{N}_.-])(?:[A-Z9]{5} \d{6} [A-Z0-9]{5}(?: \d\d)?|[A-Za-z0-9]{1,20}(?:(?: (?=\d\d)|[/-])(?:\d{1,8}(?!\d)(?:[A-Z][A-Z0-9]{0,5})?|\d{8}(?=\d)[A-Z0-9]{1,6})(?![A-Za-z0-9_])){0,4})(?![\p{L}\p{N}_]|[./-][\p{L}\p{N}])/gu,
  starter: /[A-Z0-9]/gi,
  reach: 90,
  within: 'line',
  judge(sighting) {
    const { value } = sighting;
    // Most are short, and of the rest most are called nothing of the kind.
    if (value.length < 6) return undefined;
    const isPassport = sighting.follows(passport);
    if (!isPassport && !sighting.follows(license)) {
      return value.length >= 16 && BRITISH.test(value.replace(/ /g, ''))
        ? found('driver_license', sighting, 0.85)
        : undefined;
    }
    const compact = value.replace(/[ /-]/g, '');
    const digits = compact.replace(/\D/g, '').length;
    if (
      digits < (/^[A-Z\d]+$/.test(compact) ? 3 : 4) ||
      compact.length < 6 ||
      compact.length > 20 ||
      COMPACT_DATE.test(compact) ||
      DATE.test(value) ||
      /^0x/i.test(value) ||
      PATENT.test(value)
    )
      return undefined;
    if (isPassport) return compact.length <= 12 && !value.includes('/') ? found('passport', sighting, 0.9) : undefined;
    return found('driver_license', sighting, 0.9);
  },
};

/** The machine-readable lines of a passport. */
export const machineZoneRule: Rule = {
  pattern:
    /(?<![A-Z0-9<])(?:P[A-Z<][A-Z]{3}[A-Z]{1,38}<[A-Z<]{1,38}|[A-Z0-9<]{9}\d[A-Z]{3}\d{7}[MFX<]\d{7}[A-Z0-9<]{14,16})(?![A-Z0-9<])/g,
  needs: ['<'],
  starter: /[A-Z0-9<]/g,
  reach: 84,
  within: 'word',
  judge: (sighting) =>
    sighting.value.includes('<') && sighting.value.length >= 40 ? found('passport', sighting, 0.95) : undefined,
};
