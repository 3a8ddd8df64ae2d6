import { found, type Rule } from '../rule.ts';

/** `pic@2x.png` is a file. */
const FILE = /\.(?:png|jpe?g|gif|svg|webp|ico|css|js|mjs|ts|tsx|json|html?|xml|pdf|zip|gz|md|lock|local)$/i;
const REPOSITORY = /^(?:git|hg|svn)@/;

export const emailRule: Rule = {
  pattern:
    /(?<![A-Za-z0-9._%+@-])(?=[A-Za-z0-9_+\u0080-\u{10ffff}])(?<![\p{L}\p{N}._%+@-])[\p{L}\p{N}_+](?=[^\s@%&]{0,63}[@%&])(?:[\p{L}\p{M}\p{N}._+'&-]|%(?!40)){0,63}(?:@|%40|&#64;|&commat;)(?:[\p{L}\p{N}][\p{L}\p{M}\p{N}-]{0,62}\.){1,8}(?:xn--[a-z0-9-]{2,40}|\p{L}{2,24})(?![\p{L}\p{N}@])/gu,
  needs: ['@', '%40', '&#64;', '&commat;'],
  starter: /[\p{L}\p{N}_+]/gu,
  reach: 64 + 8 + 8 * 64 + 46,
  within: 'word',
  judge(sighting) {
    const { value, text, end } = sighting;
    if (FILE.test(value)) return undefined;
    // git@github.com:org/repo.git is an address of a repository.
    if (REPOSITORY.test(value) && (text[end] === ':' || text[end] === '/')) return undefined;
    return found('email', sighting, 0.96);
  },
};
