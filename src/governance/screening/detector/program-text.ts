/**
 * Programs are full of words for secrets, and hold few: what stands after `password =` is mostly the name of a variable,
 * of a type, or a call. These are told by their form.
 */

/** `options.password`, `this.#key`, `settings?.apiKey`, `Store::secret`, `node->key`: a name in a name. */
const PATH =
  /^[&*!@$]?(?:[\p{L}_$][\p{L}\p{M}\w$]{0,60}!?(?:\?\.|\.#?|->|::)){1,8}[\p{L}_$][\p{L}\p{M}\w$]{0,60}[?!]?[:.]?$/u;
/** `read(`, `tokens[0`, `crypto.base64Decode(value`, `Secret<string`: a name, and what is done with it. */
const USE = /^[&*!@$]?[\p{L}_$][\w$]{0,60}(?:!?(?:\?\.|\.#?|->|::)[\p{L}_$][\w$]{0,60}){0,8}[([<]/u;
/** Last words of names that programs give to things. */
const THINGS = new Set(
  `argument arguments args array auth base bits bool buffer builder bytes cache callback class client config configuration
  context controller count credential credentials data decoder dialog element encoder encoding error event exception factory
  field file flag format function getter handle handler hash hasher header headers helper id identifier index info input
  instance interface item key keys length level limit list loader manager map message mgr mixin mode model module name node
  none null object ok option optional options output page param parameter parameters params parser pass passphrase passwd password path
  pattern policy prefix prompt property props provider ptr pwd reader ref reference regex request required resolver response
  result schema secret secrets selector self service set setter setting settings size source state status store str string struct
  suffix this template text token tokens type types user username util utils validation validator value values var variable view
  widget writer`.split(/\s+/),
);
/** A name of several words: `secretReference`, `PasswordHash`, `password_mgr`. */
const NAME = /^[\p{L}_$][\p{L}_$]*$/u;

/** Whether an unquoted value is an expression of a program; `next` is the character after it. */
export function isExpression(value: string, next: string): boolean {
  if (PATH.test(value)) return wordsOf(value).length > 1 && isWritten(value);
  if (USE.test(value)) {
    const [name = ''] = value.split(/[([<]/, 1);
    return next !== '' && !/\w/.test(next) && (/^[a-z_.]+$/.test(name) || isWritten(name));
  }
  return isName(value);
}

/** Whether it is a name of several words, the last of which is one that programs give to things. */
export function isName(value: string): boolean {
  const name = value.replace(/[?!.:]{1,2}$/, '');
  if (!NAME.test(name)) return false;
  const words = wordsOf(name);
  // "MyPassword" is what people make of it.
  return words.length > 1 && THINGS.has((words.at(-1) ?? '').toLowerCase()) && !/^my/i.test(name);
}

/** Whether letters make words, as in `base64Decode` or `LanguageModelV2Options`, and not chance. */
export function isWritten(value: string): boolean {
  const letters = value.replace(/[^\p{L}]/gu, '').length;
  if (letters < value.replace(/[^\p{L}\d]/gu, '').length * 0.6) return false;
  let inWords = 0;
  for (const word of wordsOf(value)) {
    const isWord = word.length >= 4 && /[aeiouy]/i.test(word) && !/[^aeiouy]{5}/i.test(word);
    if (isWord || THINGS.has(word.toLowerCase())) inWords += word.length;
  }
  return inWords >= 0.6 * letters;
}

/** The words of a name: parted by capitals, digits and signs. */
function wordsOf(value: string): readonly string[] {
  return value.match(/\p{Lu}?[\p{Ll}\p{M}]+|\p{Lu}+(?!\p{Ll})/gu) ?? [];
}
