/**
 * Names of people, compared so that nobody passes for two: case, width and blanks make no difference, and `user:ann` is
 * ann.
 */

/** Whether `name` is one of `names`. */
export function isAmong(name: string, names: readonly string[]): boolean {
  return names.some((other) => principal(other) === principal(name));
}

/** The names without blanks around and without repeats, the first way of writing kept. */
export function distinct(names: readonly string[]): string[] {
  const kept: string[] = [];
  for (const name of names.map((each) => each.trim())) if (name !== '' && !isAmong(name, kept)) kept.push(name);
  return kept;
}

/** The form in which names are compared. */
export function principal(name: string): string {
  return name
    .normalize('NFKC')
    .trim()
    .toLowerCase()
    .replace(/^user:/, '');
}
