/**
 * What opens doors: keys with the marks of those who gave them out, tokens, private keys, addresses with a password in
 * them, and what stands after a word like `password`.
 */
import { cue } from '../cue.ts';
import { type Finding, found, type Rule, type Sighting, type Tail } from '../rule.ts';
import { isExpression, isWritten } from './program-text.ts';

/** The rest of a long token. */
const tokenTail: Tail = (_state, character) => (/[A-Za-z0-9_\-+/=.~]/.test(character) ? 0 : -1);

/** Of a secret so long that there may be more of it. */
const LONG = { confidence: 1, tail: tokenTail };

/** Marks that vendors put on their keys, and what follows. */
const MARKED = [
  '(?:AKIA|ASIA|ABIA|ACCA|AROA|AIDA)[A-Z0-9]{16}(?![A-Z0-9])', // AWS
  'gh[pousr]_[A-Za-z0-9]{20,255}', // GitHub
  'github_pat_[A-Za-z0-9_]{22,255}',
  'gl(?:pat|dt|rt|ptt|cbt|ft|soat|agent|oas)-[A-Za-z0-9_-]{16,64}', // GitLab
  'npm_[A-Za-z0-9]{30,64}',
  'pypi-[A-Za-z0-9_-]{32,255}',
  'xox[abeoprs]-[A-Za-z0-9-]{10,255}', // Slack
  'xapp-[0-9]-[A-Za-z0-9-]{10,255}',
  'https://hooks\\.slack\\.com/(?:services|workflows|triggers)/[A-Za-z0-9/_-]{16,120}',
  'https://discord(?:app)?\\.com/api/webhooks/[0-9]{8,24}/[A-Za-z0-9_-]{20,120}',
  '[srp]k_(?:live|test|prod)_[A-Za-z0-9]{10,247}', // Stripe
  'whsec_[A-Za-z0-9+/=]{20,120}',
  'AIza[A-Za-z0-9_-]{30,45}', // Google
  'ya29\\.[A-Za-z0-9_-]{20,255}',
  'GOCSPX-[A-Za-z0-9_-]{20,40}',
  'sk-(?:proj|svcacct|admin|ant|or|None)-[A-Za-z0-9_-]{16,255}', // OpenAI, Anthropic and others
  'sk-[A-Za-z0-9]{20,64}',
  'hf_[A-Za-z0-9]{20,64}', // Hugging Face
  'hv[sbr]\\.[A-Za-z0-9_-]{20,255}', // Vault
  'dapi[a-f0-9]{32}(?:-[0-9])?', // Databricks
  'dckr_(?:pat|oat)_[A-Za-z0-9_-]{20,64}', // Docker
  'SG\\.[A-Za-z0-9_-]{16,32}\\.[A-Za-z0-9_-]{16,64}', // SendGrid
  'key-[a-f0-9]{32}', // Mailgun
  'gl(?:sa|c)_[A-Za-z0-9_+/=]{20,255}', // Grafana
  'do[opr]_v1_[a-f0-9]{64}', // DigitalOcean
  'shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}', // Shopify
  'EAA[A-Za-z0-9]{40,250}', // Meta
  'sq0[a-z]{3}-[A-Za-z0-9_-]{22,43}', // Square
  'ATATT3[A-Za-z0-9_=-]{20,255}', // Atlassian
  'lin_api_[A-Za-z0-9]{32,64}', // Linear
  'PMAK-[a-f0-9]{24}-[a-f0-9]{34}', // Postman
  'NRAK-[A-Z0-9]{27}', // New Relic
  '(?<=\\d{8,10}:)AA[A-Za-z0-9_-]{33}', // Telegram
  'pul-[a-f0-9]{40}', // Pulumi
  'sntry[su]_[A-Za-z0-9_=+/-]{20,255}', // Sentry
  'AGE-SECRET-KEY-1[A-Z0-9]{58}',
  'ops_eyJ[A-Za-z0-9_-]{20,255}', // 1Password
  '(?:xai|gsk|r8|fw|pplx|nvapi|tvly|fc|lsv2_pt|lsv2_sk|sbp|vercel|rpa|tgp_v1)[_-][A-Za-z0-9_-]{24,255}',
].join('|');

export const markedKeyRule: Rule = {
  pattern: new RegExp(`(?<![A-Za-z0-9_-])(?:${MARKED})`, 'g'),
  starter: /[A-Za-z]/g,
  reach: 320,
  within: 'word',
  judge: ({ start, end, value }) =>
    /\d/.test(value) || (value.length > 30 && !isWritten(value))
      ? { type: 'api_key', start, end, confidence: 1, tail: keyTail }
      : undefined,
};

const keyTail: Tail = (_state, character) => (/[A-Za-z0-9_-]/.test(character) ? 0 : -1);

/** JSON web tokens: only what begins with a header that names its algorithm. */
export const webTokenRule: Rule = {
  pattern: /(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{10,1000}(?:\.[A-Za-z0-9_-])?/g,
  needs: ['eyJ'],
  starter: /e/g,
  reach: 1010,
  within: 'word',
  judge({ start, end, value }) {
    const [header = '', payload] = value.split('.');
    if (payload === undefined && value.length < 1000) return undefined;
    return isHeader(header) ? { type: 'api_key', start, end, confidence: 1, tail: tokenTail } : undefined;
  },
};

function isHeader(text: string): boolean {
  try {
    const header: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
    return typeof header === 'object' && header !== null && ('alg' in header || 'enc' in header);
  } catch {
    return false;
  }
}

/** States of a private key's text: its length since the last blank, or in the line that ends it, the dashes still to come. */
const END_LINE = 1000;
const keyText: Tail = (state, character) => {
  if (state >= END_LINE) {
    if (state === END_LINE + 10) return -1;
    if (character === '-') return state + 1;
    return /[A-Z ]/.test(character) ? state : -1;
  }
  if (character === '-') return END_LINE + 1;
  if (/[A-Za-z0-9+/=\\]/.test(character)) return Math.min(state + 1, 999);
  if (/[\r\n"']/.test(character)) return 0;
  // Some write the lines of a key with blanks between; other words after it are not the key.
  return character === ' ' && (state === 0 || state >= 48) ? 0 : -1;
};

export const privateKeyRule: Rule = {
  pattern: /-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----/g,
  needs: ['-----BEGIN '],
  starter: /-/g,
  reach: 90,
  within: 'line',
  judge: ({ start, end }) => ({ type: 'api_key', start, end, confidence: 1, tail: keyText }),
};

/** `scheme://user:password@host`, with the rest of the address: what it opens is as telling. */
export const connectionRule: Rule = {
  pattern:
    /(?<![a-z0-9+.-])(?=[a-z][a-z0-9+.-]{1,20}:\/\/)(?<![\p{L}\p{N}+.-])[a-z][a-z0-9+.-]{1,20}:\/\/[^\s:@/"'<>]{0,128}:(?<password>[^\s@/"'<>]{1,256})@[^\s"'<>,;)\]}]{1,256}/giu,
  needs: ['://'],
  starter: /[a-z]/gi,
  reach: 21 + 3 + 129 + 257 + 256,
  within: 'word',
  judge(sighting) {
    return isPlaceholder(sighting.groups['password'] ?? '') ? undefined : found('password', sighting, 1);
  },
};

/** `curl -u user:password`. */
export const userOptionRule: Rule = {
  pattern: /(?<=(?:^|\s)(?:-u|--user|--proxy-user)[ =]["']?[^\s:"']{1,40}:)[^\s"'<>]{4,160}/g,
  needs: ['-u'],
  starter: /(?<=:)[^\s"'<>]/g,
  reach: 161,
  within: 'word',
  judge: (sighting) =>
    sighting.value.startsWith(':') || isPlaceholder(sighting.value) ? undefined : found('password', sighting, 0.92),
};

/** What stands for a secret without being one. */
const PLACEHOLDER =
  /^(?:[*•x.\-_#]+|%[sdr].*|<.*|\$\{.*|\{\{.*|\$[A-Z_]+|%[A-Z_]+%|\[.*|null|nil|none|undefined|true|false|yes|no|required|optional|missing|empty|string|number|invalid|wrong|incorrect|expired|changeme_here|your[-_ ].*|my[-_ ]?(?:password|secret|token|key).*|example|redacted|hidden|masked|unset|not[-_ ]?set|n\/a|todo|os\.environ.*|process\.env.*|getenv.*|env\..*|secrets?\..*|vault:.*|ref:.*|arn:.*|strict|basic|bearer|weak|strong|default|disabled|enabled|policy|reset|changed|updated|protected|private|public|static|readonly|class|function|const|let|var|def|self|new|await|async|raise|return|throw|continue|break|typeof|keyof|any|void|never|unknown|bytes|str|int|bool|boolean|char|text|varchar.*|object|expected|minimum|maximum|length|passed?|passwords?|passwd|pwd|passphrase|secrets?|tokens?|credentials?|user|username|field|too|not|must|should|is|are|was|will|can|the|a|an|in|on|for|and|or|to|of|at|by|with|it|this|that|here|[({[].*|.*\(\)?)$/i;

/** `"pgpass": "1.0.5"`. */
const VERSION = /^[~^v]?\d{1,3}\.\d{1,3}\.\d{1,3}(?:-[\w.]+)?$/;

/** Made by chance of all kinds of characters. */
function isStrong(value: string): boolean {
  return /[a-z]/.test(value) && /[A-Z]/.test(value) && /\d/.test(value) && /[!@#%^&*+~?]|^.\S*[$]/.test(value);
}

function isPlaceholder(value: string): boolean {
  if (/^[({[$]/.test(value) && isStrong(value)) return false;
  return PLACEHOLDER.test(value) || PLACEHOLDER.test(value.replace(/[:;]$/, '')) || VERSION.test(value);
}

const PASSWORD_WORDS =
  'pass ?words?|passwds?|pwds?|pass ?phrases?|pass ?codes?|pws?|passwort|kennwort|mot de passe|mdp|contraseña|contrasena|clave|senha|wachtwoord|lösenord|hasło|haslo|пароль|密码|パスワード|비밀번호';
const password = new RegExp(
  `(?:(?<![a-zà-ÿ])(?:${PASSWORD_WORDS})|(?<=(?<![a-zà-ÿ])(?:pg|db|my|mysql|redis|smtp|ftp|root|user|admin|new|old|the))pass(?:word|wd)?|(?<![a-zà-ÿ])(?<alone>pass))(?: hash| value)?["'\`]?\\s{0,2}$`,
  'u',
);
const secret =
  /(?<![a-zà-ÿ])(?:secrets?|client secrets?|api ?secrets?|api ?keys?|app ?keys?|access ?keys?|secret ?keys?|private ?keys?|account ?keys?|shared access keys?|encryption ?keys?|(?:storage|master|service|deploy|hmac|jwt|shared|sas|cosmos) ?keys?|signing ?keys?|auth ?keys?|api ?tokens?|access ?tokens?|auth ?tokens?|refresh ?tokens?|bearer ?tokens?|id ?tokens?|session ?tokens?|auth|credentials?|x api key|subscription key|consumer secret|webhook secret|bot token|secret access key|secret key base|(?<!page |next |continuation |cancellation |max |csrf |sync |resume |type |public key )tokens?|(?:github|gitlab|npm|slack|hf|vault) ?tokens?|(?<=[?&])sig|(?<=[?&]x )amz signature)["'`]?\s{0,2}$/u;

/** `password = …`, `"password": "…"`, `password is …`. */
export const namedSecretRule: Rule = {
  pattern:
    /(?<=(?<sign>[:=]\s{0,3}|=>\s{0,2}|(?<=\s)(?:is|ist|est|es|è|é|är|jest|lautet)\s{1,2}|(?<=<[\w:.-]{0,20}(?:[Pp]ass|PASS|[Pp]wd|[Ss]ecret|[Tt]oken|[Kk]ey)[\w:.-]{0,10})>)["'`]?)(?:(?<=["'`])(?<quoted>[^\s"'`][^"'`\n]{3,159})(?=["'`]|$)|(?<bare>(?:[^\s"'`,;&<>)}\]]|&(?![\w.-]{1,24}=)|[)}\]](?=[\w!@#$%^*+])){4,160}))/gu,
  starter:
    /(?<=(?:[:=]\s{0,3}|=>\s{0,2}|(?<=\s)(?:is|ist|est|es|è|é|är|jest|lautet)\s{1,2}|(?<=<[\w:.-]{0,20}(?:[Pp]ass|PASS|[Pp]wd|[Ss]ecret|[Tt]oken|[Kk]ey)[\w:.-]{0,10})>)["'`]?)[^\s"'`]/gu,
  alive: /\S*$|[^"'`\n]*$/uy,
  reach: 190,
  within: 'line',
  judge: (sighting) => judgeNamed(sighting),
  // `"note": "password: …"`: the name of a text in quotation marks says nothing, the text does.
  looksInside: ({ groups }) => groups['quoted'] !== undefined,
};

function judgeNamed({ start, text, groups }: Sighting): Finding | undefined {
  const { quoted, bare } = groups;
  const value = quoted ?? bare;
  if (value === undefined) return undefined;
  const sign = groups['sign'] ?? '';
  const quote = /["'`]/.test(text[start - 1] ?? '') ? 1 : 0;
  const named = secretAt(text, start - quote - sign.length, /\p{L}/u.test(sign), value, start, quoted !== undefined);
  if (named !== undefined || bare === undefined) return named;
  // "https://…?access_token=…", "//registry/:_authToken=…": a name and its value behind a sign of something else.
  const signs = /[:=]/g;
  for (let count = 0; count < INNER_SIGNS; count++) {
    const at = signs.exec(bare)?.index;
    if (at === undefined) return undefined;
    const rest = bare.slice(at + 1);
    const inner = rest.length < 4 ? undefined : secretAt(text, start + at, false, rest, start + at + 1, false);
    if (inner !== undefined) return inner;
  }
  return undefined;
}

/** How many signs inside a value are tried. */
const INNER_SIGNS = 4;

/** @param nameEnd where the name before the value ends */
function secretAt(
  text: string,
  nameEnd: number,
  isSentence: boolean,
  value: string,
  at: number,
  isQuoted: boolean,
): Finding | undefined {
  const name = nameBefore(text, nameEnd);
  const isPassword = password.exec(name);
  if (isPassword === null && !secret.test(name)) return undefined;
  const trimmed = value.replace(/[.!?]$/, isSentence ? '' : '$&');
  if (isPlaceholder(trimmed) || (!isQuoted && isCode(trimmed, text[at + value.length] ?? ''))) return undefined;
  if (isPassword !== null) {
    if (isSentence && !/[\d\W_]/.test(trimmed)) return undefined;
    // "First pass: …", "PASS: …": what passes is mostly no password.
    if (isPassword.groups?.['alone'] !== undefined && !isQuoted && !isMadeUp(trimmed)) return undefined;
    return {
      type: 'password',
      start: at,
      end: at + trimmed.length,
      ...(trimmed.length < 100 ? { confidence: 0.93 } : LONG),
    };
  }
  if (isSentence || /\s/.test(trimmed) || trimmed.length < 8 || !isRandom(trimmed)) return undefined;
  return {
    type: 'api_key',
    start: at,
    end: at + trimmed.length,
    ...(trimmed.length < 100 ? { confidence: 0.92 } : LONG),
  };
}

/** `Read-Host`, `ConvertTo-SecureString`. */
const CMDLET = /^(?:Read|Get|New|Import|ConvertTo|ConvertFrom)-[A-Z][A-Za-z]+$/;

function isCode(value: string, next: string): boolean {
  return value.startsWith(':') || /^[\w+.-]{0,20}:?\/\//.test(value) || CMDLET.test(value) || isExpression(value, next);
}

/** Letters, and digits or signs that no path has. */
function isMadeUp(value: string): boolean {
  return /\p{L}/u.test(value) && /[\d!#$%&*?^~]/.test(value) && !/\//.test(value);
}

/** No match of `password` or `secret` is as long as this, with what they look at before it. */
const LONGEST_NAME = 32;

function nameBefore(text: string, end: number): string {
  return text
    .slice(Math.max(0, end - LONGEST_NAME), end)
    .replace(/(?=[A-Z])(?<=[a-z])/g, ' ')
    .replace(/[_.-]/g, ' ')
    .toLowerCase();
}

/** Letters and digits mixed as nobody would write them. */
function isRandom(value: string): boolean {
  if (/^(?:\/[a-z][\w.-]*){2,}$/.test(value)) return false;
  if (!/\d/.test(value) || !/[A-Za-z]/.test(value) || entropy(value) <= (value.length < 16 ? 2.7 : 3)) return false;
  return !(/^[\w.]*(?:_|[a-z]\d*[A-Z])[\w.]*$/.test(value) && isWritten(value));
}

/** Bits per character. */
function entropy(value: string): number {
  const counts = new Map<string, number>();
  for (const character of value) counts.set(character, (counts.get(character) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / value.length) * Math.log2(count / value.length);
  return bits;
}

const SPOKEN_WORDS =
  '(?:password|passwort|kennwort|passphrase|passwd|pwd|contraseña|mot de passe|senha|wachtwoord|hasło|hasłem)';

/** "… and password Summer2026!": without a sign between only what mixes letters, digits and signs. */
export const spokenPasswordRule: Rule = {
  pattern: new RegExp(`(?<=[a-zñł] )(?<=(?<!\\p{L})${SPOKEN_WORDS} )[^\\s"'\`<>]{6,64}`, 'giu'),
  starter: /[^\s"'`<>]/gu,
  alive: new RegExp(`(?<=${SPOKEN_WORDS} )\\S*$`, 'iuy'),
  reach: 65,
  within: 'word',
  judge({ start, value }) {
    const trimmed = value.replace(/[.,;:)\]]+$/, '');
    const isMixed = /\p{L}/u.test(trimmed) && /\d/.test(trimmed) && /[!#$%&*?^~+]/.test(trimmed);
    if (!isMixed || /^(?:[{<[(-]|[$%]\w*$)/.test(trimmed) || isPlaceholder(trimmed)) return undefined;
    return { type: 'password', start, end: start + trimmed.length, confidence: 0.85 };
  },
};

const spoken = cue(
  'aws secret|aws secret access key|aws secret key|secret|secret key|secret access key|api ?key|access key|access token|auth token|api token|token|client secret|key|bearer|authorization|proxy authorization|credentials?|account key|shared access key',
);
const sentence = cue(
  'secret|api ?key|access key|access token|auth token|api token|client secret|bearer|basic|aws secret|account key|token',
);

/** Long random tokens after a word for a secret, without a sign between: "aws secret wJalr…", "Authorization: Bearer …". */
export const spokenSecretRule: Rule = {
  pattern: /(?<![A-Za-z0-9_+/=.~-])[A-Za-z0-9_+/~-][A-Za-z0-9_+/=.~-]{15,199}/g,
  starter: /[A-Za-z0-9_+/~-]/g,
  reach: 202,
  within: 'word',
  judge(sighting) {
    const { value, left, start, text, end } = sighting;
    if (!sighting.follows(spoken) && !sighting.follows(sentence)) return undefined;
    const trimmed = value.replace(/[.]+$/, '');
    if (text[end] === '(') return undefined;
    const isBasic = /basic\s+$/.test(left) && isUserAndPassword(trimmed);
    if (!(isRandom(trimmed) && (/bearer\s+$|secret|token|key/.test(left) ? isMixed(trimmed) : true)) && !isBasic)
      return undefined;
    return {
      type: 'api_key',
      start,
      end: start + trimmed.length,
      ...(trimmed.length < 100 ? { confidence: 0.9 } : LONG),
    };
  },
};

/** Whether it is what HTTP's basic authentication sends. */
function isUserAndPassword(value: string): boolean {
  return /^[\x20-\x7e]*:[\x20-\x7e]*$/.test(Buffer.from(value, 'base64').toString('utf8'));
}

/** Not an id of words and numbers, such as a UUID or a name of a version. */
function isMixed(value: string): boolean {
  return (
    /^[a-f0-9]{32,}$/i.test(value) ||
    (/[a-z]/.test(value) && /[A-Z]/.test(value) && /\d/.test(value)) ||
    (value.length >= 20 && !/[-_.]/.test(value))
  );
}
