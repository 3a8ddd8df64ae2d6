/**
 * Verifies an export, with nothing but itself and, better, checkpoints and a key from elsewhere; names the first record
 * that is not what was written and says what is wrong with it. What only a checkpoint can show is a tail that was cut off
 * and a log that was hashed anew from some record on.
 */

import { judgeChain } from './chain-judgement.ts';
import {
  type CheckpointVerifier,
  judgeSignature,
  originOf,
  readCheckpoint,
  type SignedCheckpoint,
} from './checkpoint.ts';
import { LOG_START } from './entry.ts';
import type { ReadBeginning, ReadEntry, ReadLine, ReadPerson } from './export-reading.ts';
import type { Finding } from './finding.ts';
import { appendLeaf, rangeLength, rootOf } from './merkle.ts';
import { referenceOf } from './person.ts';

export interface Verdict {
  readonly finding: Finding | undefined;
  readonly tenantId: string | undefined;
  readonly entries: number;
  /** Number of the last entry that a checkpoint with a good signature covers; 0 for none. */
  readonly signedUpTo: number;
  /** What could not be checked, one sentence each. */
  readonly warnings: readonly string[];
}

export interface Evidence {
  /** Notes from elsewhere. */
  readonly checkpoints?: readonly string[];
  readonly key?: CheckpointVerifier | undefined;
}

interface Claim {
  readonly checkpoint: SignedCheckpoint;
  readonly line: number | undefined;
}

export function verifyExport(lines: readonly ReadLine[], { checkpoints = [], key }: Evidence = {}): Verdict {
  const entries = lines.filter((line): line is ReadEntry => line.kind === 'entry');
  const beginnings = lines.filter((line): line is ReadBeginning => line.kind === 'beginning');
  const tenantId = beginnings[0]?.tenantId ?? entries[0]?.tenantId;
  const start = beginnings[0] ?? { after: 0, prevHash: LOG_START, range: [] };
  let signedUpTo = 0;
  const verdict = (finding: Finding | undefined, warnings: readonly string[] = []): Verdict => ({
    finding,
    tenantId,
    entries: entries.length,
    signedUpTo,
    warnings,
  });

  const unreadable = lines.find(({ kind }) => kind === 'unreadable');
  const broken = judgeChain(entries, { tenantId, after: start.after, prevHash: start.prevHash });
  if (unreadable !== undefined && (broken?.line ?? Number.POSITIVE_INFINITY) >= unreadable.line) {
    return verdict({
      problem: 'unreadable',
      seq: seqAt(entries, unreadable.line, start.after),
      line: unreadable.line,
      sentence: `line ${unreadable.line} is no record of an audit export`,
    });
  }
  if (broken !== undefined) return verdict(broken);
  const beginning = judgeBeginnings(beginnings, entries, start);
  if (beginning !== undefined) return verdict(beginning);

  const claims: Claim[] = [];
  for (const { note, line } of [
    ...lines.flatMap((each) => (each.kind === 'checkpoint' ? [{ note: each.note, line: each.line }] : [])),
    ...checkpoints.map((text) => ({ note: text, line: undefined })),
  ]) {
    const claim = readClaim(note, line);
    if ('problem' in claim) return verdict(claim);
    claims.push(claim);
  }
  claims.sort((one, other) => one.checkpoint.size - other.checkpoint.size);
  const wrong = judgeSignatures(claims, tenantId, key);
  const root = judgeRoots(claims, entries, start, key !== undefined && wrong === undefined);
  signedUpTo = root.signedUpTo;
  // A log that is not what somebody signed is worse than a signature that nobody knows.
  const finding = wrong ?? root.finding ?? judgePeople(lines) ?? judgeEnd(beginnings[0], claims, entries);
  return verdict(finding, finding === undefined ? warningsOf(claims, entries, start.after, key) : []);
}

/** Where in the log a line without a number stands. */
function seqAt(entries: readonly ReadEntry[], line: number, after: number): number {
  return (entries.findLast((entry) => entry.line < line)?.seq ?? after) + 1;
}

type Start = Pick<ReadBeginning, 'after' | 'prevHash' | 'range'>;

/** The first beginning is believed (its range is proved by the first checkpoint after it), the others must fit. */
function judgeBeginnings(
  beginnings: readonly ReadBeginning[],
  entries: readonly ReadEntry[],
  start: Start,
): Finding | undefined {
  const hashes = new Map(entries.map(({ seq, hash }) => [seq, hash]));
  for (const { line, after, prevHash, range } of beginnings) {
    const known = after === start.after ? start.prevHash : hashes.get(after);
    if (known === prevHash && range.length === rangeLength(after) && (after > 0 || prevHash === LOG_START)) continue;
    const sentence = `line ${line} says that the records before ${after + 1} are others than they are`;
    return { problem: 'edited', seq: after + 1, line, sentence };
  }
  return undefined;
}

function readClaim(note: string, line: number | undefined): Claim | Finding {
  try {
    return { checkpoint: readCheckpoint(note), line };
  } catch {
    return { problem: 'unreadable', seq: undefined, line, sentence: `${placeOf(line)} is no checkpoint` };
  }
}

function placeOf(line: number | undefined): string {
  return line === undefined ? 'a given checkpoint' : `the checkpoint in line ${line}`;
}

function judgeSignatures(
  claims: readonly Claim[],
  tenantId: string | undefined,
  key: CheckpointVerifier | undefined,
): Finding | undefined {
  for (const { checkpoint, line } of claims) {
    const { size, origin, signatures } = checkpoint;
    const about = { seq: size, line };
    const place = `${placeOf(line)} of ${size} entries`;
    if (tenantId !== undefined && origin !== originOf(tenantId)) {
      const sentence = `${place} is of another log: expected ${originOf(tenantId)}, got ${origin}`;
      return { problem: 'foreign_key', ...about, sentence };
    }
    const judged = key === undefined ? 'good' : judgeSignature(checkpoint, key);
    if (judged === 'foreign') {
      const others = signatures.map(({ name, keyId }) => `${name}+${keyId}`).join(', ') || 'nobody';
      const sentence = `${place} is signed by another key: expected ${key?.name}+${key?.keyId}, got ${others}`;
      return { problem: 'foreign_key', ...about, sentence };
    }
    if (judged === 'forged') {
      return {
        problem: 'forged',
        ...about,
        sentence: `${place} is not what was signed: the signature does not fit it`,
      };
    }
  }
  return undefined;
}

function judgeRoots(claims: readonly Claim[], entries: readonly ReadEntry[], start: Start, isSigned: boolean) {
  let { after: size } = start;
  let range: readonly string[] = start.range;
  let good = start.after;
  const end = start.after + entries.length;
  for (const { checkpoint } of claims) {
    if (checkpoint.size < start.after) continue;
    if (checkpoint.size > end) {
      const signed = claims.at(-1)?.checkpoint.size ?? checkpoint.size;
      const sentence = `records ${end + 1} to ${signed} are not there: a checkpoint of ${signed} entries was made`;
      const finding: Finding = { problem: 'cut', seq: end + 1, line: entries.at(-1)?.line, sentence };
      return { finding, signedUpTo: isSigned ? good : 0 };
    }
    for (; size < checkpoint.size; size++) {
      range = appendLeaf(range, size, entries[size - start.after]?.hash ?? '');
    }
    if (rootOf(range) !== checkpoint.root) {
      const sentence = `the log was made anew from one of the records ${good + 1} to ${checkpoint.size} on: a checkpoint of ${checkpoint.size} entries has another root`;
      const line = entries[good - start.after]?.line;
      const finding: Finding = { problem: 'restamped', seq: good + 1, line, sentence };
      return { finding, signedUpTo: isSigned && good > start.after ? good : 0 };
    }
    good = checkpoint.size;
  }
  return { finding: undefined, signedUpTo: isSigned && claims.length > 0 ? good : 0 };
}

function judgePeople(lines: readonly ReadLine[]): Finding | undefined {
  const impostor = lines.find(
    (line): line is ReadPerson =>
      line.kind === 'person' && referenceOf(line.tenantId, line.name, line.salt) !== line.reference,
  );
  if (impostor === undefined) return undefined;
  const { line, reference } = impostor;
  const sentence = `line ${line} names somebody who is not ${reference.slice(0, 19)}…`;
  return { problem: 'impostor', seq: undefined, line, sentence };
}

/** An export that says that it is signed, and whose last records no checkpoint covers, is not all that was exported. */
function judgeEnd(
  beginning: ReadBeginning | undefined,
  claims: readonly Claim[],
  entries: readonly ReadEntry[],
): Finding | undefined {
  const last = entries.at(-1);
  if (beginning?.isSigned !== true || last === undefined) return undefined;
  if (claims.some(({ checkpoint }) => checkpoint.size >= last.seq)) return undefined;
  const sentence =
    `the export ends with record ${last.seq} and without the checkpoint that a whole one ends with: its end was cut ` +
    'off, or it has more pages';
  return { problem: 'cut', seq: last.seq + 1, line: last.line, sentence };
}

function warningsOf(
  claims: readonly Claim[],
  entries: readonly ReadEntry[],
  after: number,
  key: CheckpointVerifier | undefined,
): string[] {
  const covered = Math.max(0, ...claims.map(({ checkpoint }) => checkpoint.size));
  const end = after + entries.length;
  if (claims.length === 0) {
    return ['there is no checkpoint: a tail that was cut off, or a log that was made anew, would not show'];
  }
  return [
    ...(key === undefined ? ['there is no key: whoever made the checkpoints could have made them anew'] : []),
    ...(covered < end ? [`records ${covered + 1} to ${end} are younger than the last checkpoint`] : []),
  ];
}
