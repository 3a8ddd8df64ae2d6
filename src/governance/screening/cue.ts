/**
 * What the words before a value say about it. A cue stands directly before it, with nothing but punctuation and a few
 * small words between: "phone no. is", "{"phoneNumber":"", "Telefon:".
 */
const SMALL_WORDS = [
  'number numbers no nr num nº n° № # id ids code value field record file data is was are be still now new old current',
  'at on to for me us my her his their your our the a of from in by with and',
  'ist lautet nummer nr der die das unter auf von est le la les du de numéro numero sur au es el il al del é o nº do da',
  'para pour por per naar an bei con',
  'номер 番号 号码 번호 は 是 为',
]
  .join(' ')
  .split(' ')
  .sort((one, other) => other.length - one.length)
  .join('|');

const BETWEEN = `(?:[^\\p{L}\\p{N}\\n]|(?:${SMALL_WORDS})(?![a-z])){0,12}`;

/** Matches a left context (`Sighting.left`) that ends with one of the words (alternatives of a pattern) and small words. */
export function cue(words: string): RegExp {
  return new RegExp(`(?<![a-z0-9à-ÿ])(?:${words})${BETWEEN}$`, 'u');
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
  ].join('|'),
);
