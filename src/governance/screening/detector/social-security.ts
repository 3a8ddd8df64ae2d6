import { cue, thing } from '../cue.ts';
import { found, type Rule } from '../rule.ts';

const named = cue(
  'ssn|ssns|ss|social|social security|soc sec|soc\\. ?sec\\.?|tax ?payer|tax ?payer id|tin|itin|social security (?:number|no|num|nr)|s\\.s\\.n\\.?',
);

/** United States: never given out are the areas 000, 666 and 9xx (those are tax numbers), group 00 and serial 0000. */
export const socialSecurityRule: Rule = {
  pattern:
    /(?<![\p{L}\p{N}_.+-]|\d[ /])(?<area>\d{3})(?<mark>[ .-]?)(?<group>\d{2})\k<mark>(?<serial>\d{4})(?![\p{L}\p{N}_]|[./-][\p{L}\p{N}]| \d{4})/gu,
  starter: /\d/g,
  reach: 17,
  within: 'line',
  judge(sighting) {
    const { area = '', mark, group, serial } = sighting.groups;
    if (area === '000' || area === '666' || group === '00' || serial === '0000') return undefined;
    const isNamed = sighting.follows(named);
    if (area.startsWith('9') && !(isNamed && Number(group) >= 50)) return undefined;
    if (isNamed) return found('ssn', sighting, 0.95);
    return mark === '-' && !sighting.follows(thing) ? found('ssn', sighting, 0.85) : undefined;
  },
};
