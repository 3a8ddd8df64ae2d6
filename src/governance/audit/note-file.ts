/** Several signed notes in one file, as they come when checkpoints are kept by appending them. */

/** @returns the notes, each with its signature lines */
export function splitNotes(text: string): string[] {
  const notes: string[] = [];
  let note: string[] = [];
  let isSigned = false;
  for (const line of text.replaceAll('\r\n', '\n').split('\n')) {
    const isSignature = line.startsWith('— ');
    if (isSigned && !isSignature) {
      notes.push(`${note.join('\n')}\n`);
      note = [];
      isSigned = false;
    }
    // Empty lines between notes say nothing.
    if (line === '' && note.length === 0) continue;
    note.push(line);
    isSigned ||= isSignature;
  }
  if (note.length > 0) notes.push(`${note.join('\n')}\n`);
  return notes;
}
