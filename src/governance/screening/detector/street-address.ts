/**
 * Where people live: a house number and a word for a street, in the order of the country, with town and postcode where
 * they follow. Best effort: without a word for a street only a postcode makes a name and a number an address.
 */
import { cue, thing } from '../cue.ts';
import { found, type Rule } from '../rule.ts';

/** A word of a name: capital first. Never with the flag `i`, which would make capitals of all letters. */
const CAP = "\\p{Lu}[\\p{L}\\p{M}'’.-]{0,24}";
const SMALL =
  "(?:de|del|della|di|da|do|dos|das|du|des|la|le|les|el|den|der|dem|van|von|zum|zur|of|the|am|an|im|à|l'|d')";
const NAME = `(?:${CAP}|\\d{1,3}(?:st|nd|rd|th))(?: (?:${SMALL} ){0,2}${CAP}){0,3}`;
const STREET =
  'Street|St|Avenue|Ave|Av|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Place|Pl|Terrace|Ter|Parkway|Pkwy|Highway|Hwy|Square|Sq|Trail|Trl|Circle|Cir|Crescent|Cres|Close|Mews|Gardens|Gdns|Grove|Hill|Row|Walk|Way|Wharf|Alley|Loop|Plaza|Quay|Broadway|Esplanade|Parade|Pde|STREET|AVENUE|ROAD|AVE|BLVD|LANE|DRIVE';
const UNIT =
  '(?:,? (?:Apt|Apartment|Suite|Ste|Unit|Flat|Floor|Fl|Room|Rm|No)\\.? ?#?[A-Z0-9-]{1,6}| ?#[A-Z0-9-]{1,6}){0,2}';
const ZIP = '\\d{5}(?:-\\d{4})?';
const UK = '[A-Z]{1,2}\\d[A-Z\\d]? ?\\d[A-Z]{2}';
const CA = '[A-Z]\\d[A-Z] ?\\d[A-Z]\\d';
const TOWN = `${CAP}(?: (?:${SMALL} ){0,2}${CAP}){0,2}`;
/** ", Springfield, OR 97477", ", London NW1 6XE", ", Melbourne VIC 3000", ", 75001 Paris". */
const PLACE = `(?:,? (?:${TOWN},? (?:[A-Z]{2,3},? )?(?:${ZIP}|${UK}|${CA}|\\d{4}(?!\\d))|(?:[A-Z]{1,2}-)?\\d{4,5}(?: [A-Z]{2})? ${TOWN}|\\d{2}-\\d{3} ${TOWN}|\\d{5}-\\d{3} ${TOWN}|(?<=, )${TOWN}(?:, [A-Z]{2}(?![A-Za-z])(?: ${ZIP})?)?))?`;
const BEFORE = '(?=\\d)(?<![\\p{L}\\p{N}_.:/#$-]|[,.]\\d{0,3})';
const AFTER = '(?![\\p{L}\\p{N}_])';

const numberFirst = new RegExp(
  `${BEFORE}\\d{1,6}[A-Za-z]?(?:[-/]\\d{1,4})?,? (?:[NSEW]\\.? |North |South |East |West )?(?:${CAP} |\\d{1,3}(?:st|nd|rd|th) ){1,4}?(?:${STREET})(?:\\.(?= |,))?(?: (?:[NSEW]|NE|NW|SE|SW)(?![A-Za-z]))?${UNIT}${PLACE}${AFTER}`,
  'gu',
);
/** Whatever the street is called: "52 Ferry Ridge Apt. 114, Lakewood, OH 44107". */
const stateLast = new RegExp(
  `${BEFORE}\\d{1,6} (?:${CAP} ){0,3}${CAP}${UNIT}, ${TOWN},? (?:A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|P[AR]|RI|S[CD]|T[NX]|UT|V[AT]|W[AIVY]) ${ZIP}${AFTER}`,
  'gu',
);
const frenchStyle = new RegExp(
  `${BEFORE}\\d{1,4}(?: ?(?:bis|ter|quater))?,? (?:rue|avenue|av\\.|boulevard|bd|place|chemin|allée|impasse|quai|cours|route|square|passage|Rue|Avenue|Boulevard|Place|Chemin|Allée|Impasse|Quai) (?:(?:${SMALL}|des|aux|au) ?){0,2}${NAME}${PLACE}${AFTER}`,
  'gu',
);
const wordFirst = new RegExp(
  `(?<![A-Za-z0-9_])(?=[A-Zaopsu\\u0080-\\u{10ffff}])(?<![\\p{L}\\p{N}_])(?:(?:Via|Viale|Piazza|Piazzale|Corso|Largo|Vicolo|Calle|C/|Avenida|Avda\\.?|Plaza|Paseo|Carrer|Camino|Rua|Travessa|Praça|Alameda|Estrada|ul\\.|al\\.|pl\\.|os\\.|ulica|Ulica|улица|ул\\.|Str\\.|Strada|Bulevardul|Rue|Avenue|Chaussée) ?(?:(?:${SMALL}) ){0,2}${NAME},? (?:n[.º°]? ?|nr\\.? ?|д\\. ?)?\\d{1,4}[A-Za-z]?(?:[/-]\\d{1,4}[A-Za-z]?)?(?:, \\d{1,2}\\.?[ºª°o](?: ?(?:[A-Z](?!\\p{L})|izq|dcha|dch)\\.?)?)?|(?:\\p{Lu}[\\p{L}-]{1,30}[- ]?(?:straße|strasse|str\\.|Straße|Strasse|Str\\.|weg|Weg|platz|Platz|allee|Allee|gasse|Gasse|damm|ufer|ring|Ring|straat|laan|plein|gracht|kade|dijk|singel|gatan|vägen|gata|vej|gade|veien|katu|tie|utca)|(?:Unter|Am|An|Im|Auf|Zum|Zur|In)(?: (?:der|den|dem))? \\p{Lu}[\\p{L}-]{2,24}) \\d{1,4}(?: ?[a-zA-Z](?![\\p{L}])|(?:/\\d{1,4}){1,3})?(?![\\p{L}\\p{N}]|[.:]\\d))${PLACE}${AFTER}`,
  'gu',
);
const postcoded = new RegExp(
  `(?=[A-Z\\u0080-\\u{10ffff}])(?<![\\p{L}\\p{N}_])\\p{Lu}[\\p{L}.'-]{2,24}(?: (?:${SMALL} ){0,2}${CAP}){0,2} \\d{1,4}[a-zA-Z]?, (?:[A-Z]{1,2}-)?(?:\\d{5}|\\d{4}(?: [A-Z]{2})?|\\d{2}-\\d{3}) \\p{Lu}[\\p{L}-]{2,24}${AFTER}`,
  'gu',
);
const box = new RegExp(
  `(?<![\\p{L}\\p{N}_])(?:P\\.? ?O\\.? ?Box|Post Office Box|GPO Box|Postfach|Apartado|Boîte postale|BP|Casella postale) \\d{1,6}(?![\\d/])${PLACE}${AFTER}`,
  'gu',
);

/** Words for a street that mean other things as well. */
const DOUBTFUL = /(?:Drive|Way|Place|Court|Hill|Row|Walk|Loop|Close|Square|Circle|Plaza|Parade|Pl|Ct|Dr|Fl|Av)\.?$/;
/** "In ICU 70", "An RFC 2047", "Am Montag 12": without a town these words begin much else. */
const PREPOSED = /^(?:Am|An|Im|Auf|Zum|Zur|In) (?!de[rnm] )[^,]*$/;
/** "1994-1997, …", "Copyright 1993, 1994 …", "2 Way Street". */
const NO_HOUSE =
  /^(?:19|20)\d\d(?:-(?:19|20)\d\d|, )|(?<!\d)(?:19|20)\d\d, (?:19|20)\d\d(?!\d)|^\p{Lu}\p{L}+\.? \p{Lu}{2,5} \d{1,3}$|^Via (?:E-?[Mm]ail|Mail|Post|Fax|Phone|Telefon|Internet|Web|Chat) |^\d+ (?:Way|Court|Hill|Walk) Street$/u;
const rights = /(?:copyright|©|\(c\))[^\n]*$/;
const lives = cue(
  'address|addresses|street|street address|lives?|living|lived|resides?|residing|residence|home|house|flat|ship|ships|shipped|deliver|delivered|delivery|shipping|billing|mail|mailing|send|sent|wohnt|wohnhaft|adresse|anschrift|lieferadresse|rechnungsadresse|straße|envoyer|livrer|habite|dirección|domicilio|vive|indirizzo|abita|endereço|adres|adresa|adress|addr|address line|line|location|located|moved|住所|地址',
);

function streetRule(pattern: RegExp, starter: RegExp, confidence: number): Rule {
  return {
    pattern,
    starter,
    alive:
      /(?:(?:[\d#][\p{L}\d#/.-]*|\p{Lu}[\p{L}\p{M}\d'’./-]*|bis|ter|quater|rue|avenue|av\.|boulevard|bd|place|chemin|allée|impasse|quai|cours|route|square|passage|ulica|ul\.|al\.|pl\.|os\.|улица|ул\.|д\.|n\.?º?°?|nr\.?|de|del|della|di|da|do|dos|das|du|des|la|le|les|el|den|der|dem|van|von|zum|zur|of|the|am|an|im|à|aux|au|l'|d'|postale|straße|strasse|str\.|weg|platz|allee|gasse|damm|ufer|ring|straat|laan|plein|gracht|kade|dijk|singel|gatan|vägen|gata|vej|gade|veien|katu|tie|utca)[\p{L}\p{M}'’.]*[ ,]{1,2})*[^ ,\n]*$/uy,
    reach: 460,
    within: 'line',
    judge(sighting) {
      const { value } = sighting;
      if (NO_HOUSE.test(value) || rights.test(sighting.left)) return undefined;
      const isSaid = sighting.follows(lives);
      if (!isSaid && PREPOSED.test(value)) return undefined;
      if (!isSaid && (sighting.follows(thing) || DOUBTFUL.test(value))) return undefined;
      return found('address', sighting, isSaid ? Math.min(0.95, confidence + 0.1) : confidence);
    },
  };
}

export const addressRules: readonly Rule[] = [
  streetRule(numberFirst, /\d/g, 0.8),
  streetRule(stateLast, /\d/g, 0.85),
  streetRule(frenchStyle, /\d/g, 0.85),
  streetRule(wordFirst, /[\p{Lu}uaposул]/gu, 0.8),
  streetRule(postcoded, /\p{Lu}/gu, 0.8),
  streetRule(box, /[PGAB C]/g, 0.85),
];
