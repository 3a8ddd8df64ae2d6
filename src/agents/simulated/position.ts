/**
 * A position read back from its text: what was proposed, feared and asked for. Made for the simulated model's own
 * form, and lenient enough for what a person or a language model writes.
 */
export interface Position {
  /** Without number and full stop. */
  readonly proposals: readonly string[];
  readonly risk: string | undefined;
  readonly missing: readonly string[];
}

const PROPOSAL = /^\s*(?:\d+[.)]|[-*•])\s+(.+)$/gm;
const SHORT_LENGTH = 110;

export function positionIn(text: string): Position {
  const listed = [...text.matchAll(PROPOSAL)].map((match) => withoutStop(match[1] ?? ''));
  const missing = /^Missing(?: data)?:\s*(.+)$/m.exec(text)?.[1];
  const risk = /^Risk:\s*(.+)$/m.exec(text)?.[1];
  return {
    proposals: listed.length > 0 ? listed : firstSentence(text),
    risk: risk === undefined ? undefined : withoutStop(risk),
    missing: missing === undefined ? [] : withoutStop(missing).split(/,\s*/),
  };
}

/** At most about one line, cut at a word. */
export function shortened(text: string): string {
  const line = withoutStop(text.replace(/\s+/g, ' '));
  if (line.length <= SHORT_LENGTH) return line;
  const cut = line.lastIndexOf(' ', SHORT_LENGTH);
  return `${line.slice(0, cut > 0 ? cut : SHORT_LENGTH)} …`;
}

function firstSentence(text: string): string[] {
  const sentence = /[^.!?\n]{3,}/.exec(text)?.[0].trim();
  return sentence === undefined ? [] : [sentence];
}

function withoutStop(text: string): string {
  return text.trim().replace(/\.$/, '');
}
