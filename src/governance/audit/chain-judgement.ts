/**
 * Whether records stand where they were written: numbered without gaps, each linked to the one before. When one does not
 * fit, its neighbours say which of them is the wrong one and what became of it.
 */
import type { ReadEntry } from './export-reading.ts';
import type { Finding, Problem } from './finding.ts';

interface Place {
  readonly tenantId: string | undefined;
  /** Number and hash of the record before. */
  readonly after: number;
  readonly prevHash: string;
}

/** @returns the first record that is not what was written */
export function judgeChain(entries: readonly ReadEntry[], start: Place): Finding | undefined {
  let place = start;
  for (const [index, entry] of entries.entries()) {
    const finding = fits(entry, place) ? judgeTwin(entries, index) : judgeMisfit(entries, index, place);
    if (finding !== undefined) return finding;
    place = { ...place, after: entry.seq, prevHash: entry.hash };
  }
  return undefined;
}

function fits(entry: ReadEntry, { tenantId, after, prevHash }: Place): boolean {
  return entry.isWhole && entry.seq === after + 1 && entry.prevHash === prevHash && entry.tenantId === tenantId;
}

/** Two records of one number: the genuine one is the one that the next is linked to. */
function judgeTwin(entries: readonly ReadEntry[], index: number): Finding | undefined {
  const [entry, twin] = [entries[index], entries[index + 1]];
  if (entry === undefined || twin === undefined || twin.seq !== entry.seq) return undefined;
  const heir = entries.slice(index + 2).find(({ seq }) => seq === entry.seq + 1);
  const wrong = heir !== undefined && heir.prevHash === twin.hash && twin.hash !== entry.hash ? entry : twin;
  return found('inserted', wrong, `record ${wrong.seq} is there twice, and this one was never part of the log`);
}

function judgeMisfit(entries: readonly ReadEntry[], index: number, place: Place): Finding | undefined {
  const entry = entries[index];
  if (entry === undefined) return undefined;
  const wanted = place.after + 1;
  const later = entries.findIndex((each, at) => at > index && fits(each, place));
  if (later > index) {
    const isAwaited =
      entry.isWhole && entry.seq > wanted && !entries.some((each, at) => at !== index && each.seq === entry.seq);
    return isAwaited
      ? found('swapped', entry, `record ${entry.seq} stands where record ${wanted} belongs, which comes later`)
      : found('inserted', entry, `this record, which calls itself ${entry.seq}, was never part of the log`);
  }
  if (!entry.isWhole) {
    return found('edited', entry, `record ${entry.seq} says something else than its hash was made of`);
  }
  if (entry.seq < wanted || entry.tenantId !== place.tenantId) {
    return found(
      'inserted',
      entry,
      `this record, which calls itself ${entry.seq}, does not belong after ${place.after}`,
    );
  }
  if (entry.seq > wanted) {
    const gone = entry.seq - wanted === 1 ? `record ${wanted} is` : `records ${wanted} to ${entry.seq - 1} are`;
    return { ...found('deleted', entry, `${gone} not there`), seq: wanted };
  }
  // It has its number, but is linked to another record than the one before it: one of the two was made anew. If this
  // one is genuine the next is linked to it.
  const [before, next] = [entries[index - 1], entries[index + 1]];
  const isGenuine = next === undefined || next.prevHash === entry.hash;
  return before !== undefined && isGenuine
    ? found('restamped', before, `record ${before.seq} was made anew: record ${entry.seq} is linked to another`)
    : found(
        'restamped',
        entry,
        `record ${entry.seq} was made anew: it is linked to another record than ${place.after}`,
      );
}

function found(problem: Problem, { seq, line }: ReadEntry, what: string): Finding {
  return { problem, seq, line, sentence: `line ${line}: ${what}` };
}
