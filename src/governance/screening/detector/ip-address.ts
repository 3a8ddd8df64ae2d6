import { isIP } from 'node:net';
import { cue, cuesBefore } from '../cue.ts';
import { found, type Rule } from '../rule.ts';

/** Four numbers with dots after these are a version. */
const version = cue(
  'versions?|ver|build|release|releases|released|firmware|driver|windows|chrome|safari|firefox|edge|sdk|sections?|rfc|chapters?|clauses?|paragraphs?|kapitel|abschnitt|oid|package|upgrade|upgraded|update|updated|kernel|software|assembly|dll|§',
);
/** After these only when nothing but a blank or a slash is between: `client=` is followed by an address. */
const ofProgram = /(?<![a-z0-9])(?:v\.?|(?:app|api|client|agent|net|server|java|sdk)[ /]v?)\s?$/;
/** Versions before this one: "from 1.0.0.0 to". */
const SIBLINGS = /(?:(?:\d{1,3}\.){3}\d{1,3}[\s,;]{0,3}(?:to|and|or|bis|und|->|→|-)?\s{0,3}){1,3}$/;
/** `SIBLINGS` is dear; only what ends like one is looked at, and only where there are words at all that could stand before. */
const SIBLING_LAST = /\d[\s,;]{0,3}(?:to|and|or|bis|und|->|→|-)?\s{0,3}$/;
const HAS_WORD = /[^\d\s.,;]/;
/** "Bump actions/checkout from 4.0.1.1 to …". */
const RAISED = /(?<![a-z])(?:bump|upgrad|updat|downgrad|migrat)[a-z]{0,4} [^\n]{0,40}(?:to|from) $/;
/** `== 1.2.3.0`, `>=4.0.0.1`; but `ip.addr == 10.0.0.1`. */
function isCompared(left: string): boolean {
  return /(?:[=><~!]=|[~^>]) ?$/.test(left) && !/(?<![a-z])(?:ip|addr|address|host|src|dst|peer|remote)/.test(left);
}

const HAS_DIGIT = /\d/;
/** Attributes and extensions of certificates, and the beginning of all ids of the internet. */
const OBJECT_IDS = /^(?:2\.5\.(?:4|29)\.\d{1,2}|1\.3\.6\.1)$/;

export const ipv4Rule: Rule = {
  // Where no blanks are written between words, letters of those scripts stand beside it.
  pattern:
    /(?<![\p{N}_.-]|[^\P{L}\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7a3]|\p{L}\/)(?:\d{1,3}\.){3}\d{1,3}(?![\p{N}_]|[^\P{L}\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7a3]|[.-][\p{L}\p{N}_])/gu,
  starter: /\d/g,
  reach: 18,
  within: 'word',
  judge(sighting) {
    const { value, left } = sighting;
    // Unspecified, and masks of networks, are nobody's.
    if (isIP(value) !== 4 || value === '0.0.0.0' || value.startsWith('255.')) return undefined;
    if (OBJECT_IDS.test(value) && !/\bip\b/.test(left)) return undefined;
    const context = SIBLING_LAST.test(left) && HAS_WORD.test(left) ? left.replace(SIBLINGS, '') : left;
    const cues = context === left ? sighting.cues : cuesBefore(context);
    if (cues.has(version) || ofProgram.test(context) || RAISED.test(context) || isCompared(context)) return undefined;
    return found('ip_address', sighting, 0.92);
  },
};

export const ipv6Rule: Rule = {
  pattern:
    /(?<![a-z0-9_:.])(?=[0-9a-f]{0,4}:[0-9a-f:])(?<![\p{L}\p{N}_:.])[0-9a-f:]{2,39}(?:(?<=:\d{1,3})(?:\.\d{1,3}){3})?(?:%[A-Za-z0-9]{1,16})?(?![\p{L}\p{N}_:])/giu,
  needs: [':'],
  starter: /[0-9a-f:]/gi,
  reach: 39 + 12 + 17 + 1,
  within: 'word',
  judge(sighting) {
    const { value, start } = sighting;
    const address = value.replace(/%.*$/, '').replace(/(?<!:):$/, '');
    const colons = address.split(':').length - 1;
    // `a::b` is more often a name in a program.
    if (colons < 2 || !HAS_DIGIT.test(address) || isIP(address) !== 6) return undefined;
    const end = value.includes('%') ? sighting.end : start + address.length;
    return { type: 'ip_address', start, end, confidence: 0.94 };
  },
};
