/**
 * What the words before a value say about it. A cue stands directly before it, with nothing but punctuation and a few
 * small words between: "phone no. is", "{"phoneNumber":"", "Telefon:". All cues of all rules are looked for at once.
 */
import { plant, type WordNode, wordsOf, wordTree } from './cue-words.ts';

/** They may stand between a cue and a value. */
export const smallWords: readonly string[] = [
  'number numbers no nr num nº n° № # id ids code value field record file data is was are be still now new old current',
  'at on to for me us my her his their your our the a of from in by with and',
  'ist lautet nummer nr der die das unter auf von est le la les du de numéro numero sur au es el il al del é o nº do da',
  'para pour por per naar an bei con',
  'номер серия 番号 号码 번호 は 是 为 नंबर संख्या رقم n är er jest wynosi è lyder série serie seria series',
].flatMap((line) => line.split(' '));

/** Small words and single signs that may stand between a cue and a value. */
const MOST_BETWEEN = 12;

/** Words that say the same of a value. */
export interface Cue {
  readonly words: readonly string[];
}

export type Cues = ReadonlySet<Cue>;

const cueTree = wordTree<Cue>();
const smallTree = wordTree<true>();
for (const word of smallWords) plant(smallTree, word, true);

/** @param words alternatives, see `wordsOf` */
export function cue(words: string): Cue {
  const made: Cue = { words: wordsOf(words) };
  for (const word of made.words) plant(cueTree, word, made);
  return made;
}

/** The cues with a word that stands directly before the end of a left context (`Sighting.left`), but for small words. */
export function cuesBefore(left: string): Cues {
  let cues: Set<Cue> | undefined;
  // How many small words and signs there are, at least, from each place to the end.
  if (between.length <= left.length) between = new Uint8Array(2 * left.length);
  between.fill(MOST_BETWEEN + 1, 0, left.length);
  between[left.length] = 0;
  for (let end = left.length; end > 0; end--) {
    const count = between[end] ?? 0;
    if (count > MOST_BETWEEN) continue;
    let node: WordNode<Cue> | undefined = cueTree;
    for (let at = end - 1; at >= 0; at--) {
      node = node.before.get(left.charCodeAt(at));
      if (node === undefined) break;
      if (node.owners.length === 0 || isWithinWord(left, at) || !isApart(left, end)) continue;
      cues ??= new Set();
      for (const owner of node.owners) cues.add(owner);
    }
    if (count === MOST_BETWEEN) continue;
    const sign = signBefore(left, end);
    if (sign > 0) between[end - sign] = Math.min(between[end - sign] ?? 0, count + 1);
    if (isSmallLetter(left.charCodeAt(end))) continue;
    let small: WordNode<true> | undefined = smallTree;
    for (let at = end - 1; at >= 0; at--) {
      small = small.before.get(left.charCodeAt(at));
      if (small === undefined) break;
      if (small.owners.length > 0) between[at] = Math.min(between[at] ?? 0, count + 1);
    }
  }
  return cues ?? NO_CUES;
}

const NO_CUES: Cues = new Set();

/** Where `cuesBefore` counts; kept, because it is asked for each number of a text. */
let between = new Uint8Array(256);

/** Whether a letter or digit of ours stands before. */
function isWithinWord(text: string, start: number): boolean {
  const code = text.charCodeAt(start - 1);
  return isSmallLetter(code) || (code >= 0x30 && code <= 0x39) || (code >= 0xe0 && code <= 0xff);
}

/**
 * Words of numbers are written together with what they number (`ssnnumber`); others begin anew: "ranges" says nothing of
 * one who rang.
 */
function isApart(text: string, end: number): boolean {
  const code = text.charCodeAt(end);
  if (!isSmallLetter(code) && !(code >= 0xe0 && code <= 0xff)) return true;
  ATTACHED.lastIndex = end;
  return ATTACHED.test(text);
}

const ATTACHED = /(?:number|num|nr|no|nummer|numero|id|code|value|field)s?(?![a-zà-ÿ])/y;

/** False beyond the text as well. */
function isSmallLetter(code: number): boolean {
  return code >= 0x61 && code <= 0x7a;
}

/** UTF-16 units of the character before, if it is neither letter, digit nor the end of a line; otherwise 0. */
function signBefore(text: string, end: number): number {
  const code = text.charCodeAt(end - 1);
  if (code < 0x80) {
    const isAlphanumeric = isSmallLetter(code) || (code >= 0x30 && code <= 0x39) || (code >= 0x41 && code <= 0x5a);
    return isAlphanumeric || code === 10 ? 0 : 1;
  }
  const isPair = code >= 0xdc00 && code < 0xe000 && isHighHalf(text.charCodeAt(end - 2));
  const length = isPair ? 2 : 1;
  return LETTER_OR_DIGIT.test(text.slice(end - length, end)) ? 0 : length;
}

const LETTER_OR_DIGIT = /[\p{L}\p{N}]/u;

function isHighHalf(code: number): boolean {
  return code >= 0xd800 && code < 0xdc00;
}

/** What a number is when it is no person's: the word before it says so. */
export const thing = cue(
  [
    'orders?|po|purchase order|ticket|tickets|invoice|inv|rechnung|facture|tracking|shipment|parcel|waybill|awb|dhl|ups|usps|fedex',
    'isbn|issn|ean|upc|gtin|imei|vin|sku|parts?|items?|article|product|model|serial|batch|lot|version|ver|build|release|firmware',
    'offset|partition|trace|span|commit|request|req|session|transaction|txn|reference|ref|case|jira|bug|issue|pr|port|ports|pid',
    'uuid|guid|hash|md5|sha1|sha256|etag|timestamp|ts|epoch|time|elapsed|total|sum|amount|price|balance|quantity|qty|count|size',
    'bytes|rows|pages|page|line|lines|room|bestellung|bestellnummer|auftrag|sendung|commande|pedido|ordine|doi|oid|coordinates|lat|lon|lng',
    'customer|membership|member|contract|policy|row|step|job|task|run|chapter|section|rfc|slot|level|score|population|steps?|coordinates',
    'referenz|referenznummer|rechnungsnummer|rechnungsnr|kundennummer|kundennr|vertragsnummer|auftragsnummer|artikelnummer|artikelnr|sendungsnummer|beleg|belegnummer|vorgang|vorgangsnummer|aktenzeichen|zählernummer',
    'référence|réf|numéro de commande|numéro de suivi|numéro de client|dossier|colis|factura|albarán|expediente|número de pedido|fattura|ordine|pratica|protocollo|faktura|factuur|bestelling|bestelnummer|klantnummer|zlecenie|zamówienie|zamówienia|encomenda|fatura|orden',
    'заказ|заказа|счёт|накладная|注文|注文番号|伝票番号|商品番号|订单|订单号|订单编号|快递单号|주문|주문번호',
  ].join('|'),
);
