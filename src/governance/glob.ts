/** Patterns of action names: `fabric:*`, `tool:refund`, `fabric:crm:*`; a star stands for anything, colons included. */

/** Whether the pattern covers the name. */
export function covers(pattern: string, name: string): boolean {
  const parts = pattern.split('*');
  const [first = ''] = parts;
  if (parts.length === 1) return pattern === name;
  if (!name.startsWith(first)) return false;
  const last = parts.at(-1) ?? '';
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = name.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return name.length - last.length >= at && name.endsWith(last);
}

/** How much of a name the pattern says: of two that cover a name, the one with more is meant. */
export function precision(pattern: string): number {
  return pattern.replaceAll('*', '').length * 2 + (pattern.includes('*') ? 0 : 1);
}
