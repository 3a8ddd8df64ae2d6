import { found, type Rule } from '../rule.ts';
import { isMonthDay } from './checksum.ts';

const MONTHS =
  'jan(?:uary|uar|vier)?|feb(?:ruary|ruar)?|f[ée]v(?:rier)?|m[aä]r(?:ch|z)?|mars|apr(?:il)?|avr(?:il)?|ma[iy]|june?|juni|juin|july?|juli|juillet|aug(?:ust)?|août|aout|sept?(?:ember|embre)?|o[ck]t(?:ober|obre)?|nov(?:ember|embre)?|de[cz](?:ember)?|d[ée]c(?:embre)?|enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre|gennaio|febbraio|aprile|maggio|giugno|luglio|settembre|ottobre|dicembre|janeiro|fevereiro|março|maio|junho|julho|setembro|outubro|novembro|dezembro|maart|mei|augustus|stycznia|lutego|marca|kwietnia|maja|czerwca|lipca|sierpnia|września|października|listopada|grudnia|января|февраля|марта|апреля|мая|июня|июля|августа|сентября|октября|ноября|декабря';

const WORDS =
  'dob|birth(?=["\']?\\s?[:=])|d\\. ?o\\. ?b\\.?|date of birth|birth ?dates?|birth ?days?|b day|bday|born|geburtsdatum|geburtstag|geboren|geb\\.?|née?|date de naissance|naissance|fecha de nacimiento|(?:fecha|f\\.?) ?(?:de )?nac\\.?|fec\\. ?nac\\.?|data di nasc\\.?|data nasc\\.?|d\\. ?nasc\\.?|nacimiento|nacid[oa]|data di nascita|nascita|nat[oa]|data de nascimento|nascimento|nascid[oa]|geboortedatum|födelsedatum|född|fødselsdato|født|syntymäaika|data urodzenia|urodzon[ya]|ur\\.|doğum tarihi|szül(?:etési)?\\.? ?(?:dátum|idő|hely és idő)?|született|дата рождения|родил(?:ся|ась)|дата рожд\\.?|تاريخ الميلاد|تاريخ الولادة|מועד לידה|תאריך לידה|जन्म ?तिथि|जन्म ?दिनांक|ngày sinh|tanggal lahir|วันเกิด|生年月日|誕生日|出生日期|出生年月|生日|생년월일';
/** Other words may stand between, but no other number and no end of a sentence; unless it was asked, and this is the answer. */
const birth = new RegExp(
  `(?<![a-zà-ÿ])(?:${WORDS})(?:[^\\p{L}\\p{N}\\n]{0,6}|[^\\d\\n.!?;]{0,28}|[^\\d\\n.!?;]{0,12}(?:\\?[^\\d.!?;]{0,32}|\\. (?:it.?s|it is|that.?s|das ist|es ist|c.est|es|é|è) (?:the )?))$`,
  'u',
);
/** "(MM/DD/YYYY)" between the words and the date. */
const FORMAT = /\(?\b(?:mm|dd|yyyy|yy|tt|jj|jjjj|aaaa|aa)(?:[./ ](?:mm|dd|yyyy|yy|tt|jj|jjjj|aaaa|aa)){2}\)?/;

export const birthDateRule: Rule = {
  pattern: new RegExp(
    [
      // It begins with a digit, or with a word before one.
      '(?<![a-z0-9_./-])(?<![\\p{L}\\p{N}_./-])(?=\\d|[^\\s\\d]{3,14} \\d)(?:',
      '(?<y1>\\d{4})(?<s1>[./-])(?<m1>\\d{1,2})\\k<s1>(?<d1>\\d{1,2})',
      '|(?<a>\\d{1,2}) ?(?<s2>[./-]) ?(?<b>\\d{1,2}) ?\\k<s2> ?(?<y2>\\d{4}|\\d{2})',
      '|(?<y3>(?:19|20)\\d{2})(?<m3>\\d{2})(?<d3>\\d{2})',
      '|(?<y4>\\d{4}) ?[年년] ?(?<m4>\\d{1,2}) ?[月월] ?(?<d4>\\d{1,2}) ?[日일]',
      `|(?<d5>\\d{1,2})(?:st|nd|rd|th|er|\\.|º)?(?: of| de)?[ -](?:${MONTHS})\\.?(?: de| del)?[ ,-]{1,2}(?<y5>\\d{4}|\\d{2})`,
      `|(?:${MONTHS})\\.? (?<d6>\\d{1,2})(?:st|nd|rd|th)?,? (?<y6>\\d{4})`,
      ')(?![\\p{N}\\p{L}]|[./-]\\d)',
    ].join(''),
    'giu',
  ),
  starter: /[\p{L}\d]/gu,
  reach: 40,
  within: 'line',
  judge(sighting) {
    const { groups, left } = sighting;
    if (!birth.test(left.replace(FORMAT, ''))) return undefined;
    const year = Number(groups['y1'] ?? groups['y2'] ?? groups['y3'] ?? groups['y4'] ?? groups['y5'] ?? groups['y6']);
    if (year >= 100 && (year < 1880 || year > 2100)) return undefined;
    const { a, b } = groups;
    if (a !== undefined && b !== undefined) {
      const fits = isMonthDay(Number(a), Number(b)) || isMonthDay(Number(b), Number(a));
      return fits ? found('date_of_birth', sighting, 0.9) : undefined;
    }
    const month = Number(groups['m1'] ?? groups['m3'] ?? groups['m4'] ?? 1);
    const day = Number(groups['d1'] ?? groups['d3'] ?? groups['d4'] ?? groups['d5'] ?? groups['d6']);
    return isMonthDay(month, day) ? found('date_of_birth', sighting, 0.9) : undefined;
  },
};
