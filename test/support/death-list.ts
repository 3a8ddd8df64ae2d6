/**
 * The boundaries at which processes were killed already, in a file that they share. A boundary is a point in the life of
 * the data, named so that the next process that comes there knows it; every process dies at the first that is not listed.
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';

export interface DeathList {
  /** Whether this is the place to die: the first of its name. It is on the list from then on. */
  isNew(boundary: string): boolean;
}

/** Ids that are drawn anew each time are no part of a name. */
const RANDOM_ID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b[0-9a-f]{8,64}\b/g;

/** @param every of the new boundaries only every so-manieth counts; the others are listed as passed */
export function readDeathList(file: string, every = 1): DeathList {
  let listed: Set<string> | undefined;
  return {
    isNew(boundary) {
      // Read late: a process that is loaded ahead must know of the deaths before its own turn.
      listed ??= namesIn(file);
      const known = listed;
      const name = boundary.replace(RANDOM_ID, '<id>');
      if (known.has(name)) return false;
      const dies = known.size % every === 0;
      known.add(name);
      appendFileSync(file, `${dies ? 'died' : 'passed'} ${name}\n`);
      return dies;
    },
  };
}

function namesIn(file: string): Set<string> {
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : [];
  return new Set(lines.map((line) => line.slice(line.indexOf(' ') + 1)));
}
