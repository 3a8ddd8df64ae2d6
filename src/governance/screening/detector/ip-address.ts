import { isIP } from 'node:net';
import { cue } from '../cue.ts';
import { found, type Rule } from '../rule.ts';

/** Four numbers with dots after these are a version. */
const version = cue(
  'versions?|ver|v|build|release|releases|released|firmware|driver|windows|chrome|safari|firefox|edge|sdk|api|section|rfc|chapter|clause|oid|package|upgrade|upgraded|update|app|client|agent|kernel|software|assembly|dll|net|§',
);
const HAS_DIGIT = /\d/;

export const ipv4Rule: Rule = {
  pattern: /(?<![\p{L}\p{N}_.-]|\p{L}\/)(?:\d{1,3}\.){3}\d{1,3}(?![\p{L}\p{N}_]|[.-][\p{L}\p{N}_])/gu,
  starter: /\d/g,
  reach: 18,
  within: 'word',
  judge(sighting) {
    const { value, left } = sighting;
    // Unspecified, and masks of networks, are nobody's.
    if (isIP(value) !== 4 || value === '0.0.0.0' || value.startsWith('255.')) return undefined;
    if (version.test(left)) return undefined;
    return found('ip_address', sighting, 0.92);
  },
};

export const ipv6Rule: Rule = {
  pattern:
    /(?<![\p{L}\p{N}_:.])(?=[0-9a-f]{0,4}:[0-9a-f:])[0-9a-f:]{2,39}(?:(?<=:\d{1,3})(?:\.\d{1,3}){3})?(?:%[A-Za-z0-9]{1,16})?(?![\p{L}\p{N}_:])/giu,
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
