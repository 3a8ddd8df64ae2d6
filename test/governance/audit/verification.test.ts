import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson, type JsonObject } from '../../../src/core/json.ts';
import { readVerifierKey } from '../../../src/governance/audit/checkpoint.ts';
import { type AuditEntry, type EntryBody, sealEntry } from '../../../src/governance/audit/entry.ts';
import { readLine } from '../../../src/governance/audit/export-reading.ts';
import type { Finding } from '../../../src/governance/audit/finding.ts';
import { splitNotes } from '../../../src/governance/audit/note-file.ts';
import { referenceOf } from '../../../src/governance/audit/person.ts';
import { type Evidence, verifyExport } from '../../../src/governance/audit/verification.ts';
import { testSigner } from '../../support/audit.ts';
import {
  type BuiltLog,
  bodyOf,
  buildLog,
  joinLog,
  type LogShape,
  logShape,
  TENANT,
} from '../../support/audit-export.ts';

const signer = testSigner();
const key = readVerifierKey(signer.verifierKey);
const other = testSigner();

const verify = (lines: readonly string[], evidence: Evidence = { key }) =>
  verifyExport(
    lines.map((text, index) => readLine(text, index + 1)),
    evidence,
  );
const bare = ({ beginning, entries }: BuiltLog): string[] => [beginning, ...entries];
const lastNote = ({ notes }: BuiltLog): string[] => [...notes.values()].slice(-1);
const entryOf = (line: string | undefined) => JSON.parse(line ?? '') as AuditEntry;
const found = (finding: Finding | undefined) =>
  finding && { problem: finding.problem, seq: finding.seq, line: finding.line };
const edited = (entry: AuditEntry): AuditEntry => ({
  ...entry,
  outcome: entry.outcome === 'denied' ? 'success' : 'denied',
});

function rehashed({ hash: _hash, ...body }: AuditEntry): string {
  return canonicalJson({ ...body, hash: sealEntry(body as EntryBody).hash });
}

/** A log, and the place of one of its entries: any, or any but the last `spare`. */
const placed = (spare = 0) =>
  fc.tuple(logShape, fc.nat()).map(([shape, pick]) => {
    const count = shape.details.length - shape.after;
    return { shape, index: pick % (count - spare) };
  });

const check = (property: (shape: LogShape, index: number) => void, spare = 0) =>
  fc.assert(
    fc.property(placed(spare), ({ shape, index }) => property(shape, index)),
    { numRuns: 60 },
  );

describe('an export of the audit log', () => {
  it('is good when it is what was written, whole or from any record on', () => {
    check((shape) => {
      const log = buildLog(shape, signer);
      const verdict = verify(joinLog(log));
      expect(verdict).toEqual({
        finding: undefined,
        tenantId: TENANT,
        entries: shape.details.length - shape.after,
        signedUpTo: shape.details.length,
        warnings: [],
      });
      expect(verify(bare(log), { key, checkpoints: [...log.notes.values()] }).finding).toBeUndefined();
    });
  });

  it('may be joined of pages', () => {
    const shape = { details: Array.from({ length: 9 }, (_, number) => ({ number })), checkpointEvery: 4, after: 0 };
    const whole = joinLog(buildLog(shape, signer));
    const rest = joinLog(buildLog({ ...shape, after: 4 }, signer));
    expect(verify([...whole.slice(0, 6), ...rest])).toMatchObject({ finding: undefined, entries: 9, signedUpTo: 9 });
    const [beginning = '', ...others] = rest;
    const lie = canonicalJson({ ...(JSON.parse(beginning) as JsonObject), prev_hash: 'f'.repeat(64) });
    expect(found(verify([...whole.slice(0, 6), lie, ...others]).finding)).toEqual({
      problem: 'edited',
      seq: 5,
      line: 7,
    });
  });

  it('says what could not be checked', () => {
    const log = buildLog({ details: [{}, {}, {}, {}], checkpointEvery: 3, after: 0 }, signer);
    expect(verify(bare(log)).warnings).toEqual([expect.stringContaining('no checkpoint')]);
    expect(verify(joinLog(log), {}).warnings).toEqual([expect.stringContaining('no key')]);
    expect(verify(joinLog(log).slice(0, -1)).warnings).toEqual([expect.stringContaining('records 4 to 4 are younger')]);
  });
});

describe('an export that was tampered with is caught, and the first bad record named', () => {
  it('when a record was edited', () => {
    check((shape, index) => {
      const lines = bare(buildLog(shape, signer));
      const entry = entryOf(lines[index + 1]);
      const tampered = lines.with(index + 1, canonicalJson(edited(entry)));
      expect(found(verify(tampered).finding)).toEqual({ problem: 'edited', seq: entry.seq, line: index + 2 });
    });
  });

  it('when any character of a record was changed', () => {
    check((shape, index) => {
      const lines = bare(buildLog(shape, signer));
      const line = lines[index + 1] ?? '';
      fc.assert(
        fc.property(fc.nat(), (pick) => {
          const at = pick % line.length;
          const other = line[at] === '7' ? '8' : '7';
          const tampered = lines.with(index + 1, line.slice(0, at) + other + line.slice(at + 1));
          expect(verify(tampered).finding?.line).toBe(index + 2);
        }),
        { numRuns: 10 },
      );
    });
  });

  it('when a record says something twice', () => {
    const lines = bare(buildLog({ details: [{}, {}, {}, {}], checkpointEvery: 9, after: 0 }, signer));
    const twice = (lines[2] ?? '').replace('"outcome":', '"outcome":"denied","outcome":');
    expect(found(verify(lines.with(2, twice)).finding)).toEqual({ problem: 'edited', seq: 2, line: 3 });
  });

  it('when a record was deleted', () => {
    check((shape, index) => {
      const lines = bare(buildLog(shape, signer));
      const { seq } = entryOf(lines[index + 1]);
      const finding = verify(lines.toSpliced(index + 1, 1)).finding;
      expect(found(finding)).toEqual({ problem: 'deleted', seq, line: index + 2 });
    }, 1);
  });

  it('when the tail was cut off, by a checkpoint from elsewhere', () => {
    check((shape, index) => {
      const log = buildLog(shape, signer);
      const { seq } = entryOf(log.entries[index]);
      const lines = bare(log).slice(0, index + 1);
      expect(verify(lines).finding).toBeUndefined();
      expect(verify(lines, { key, checkpoints: lastNote(log) }).finding).toMatchObject({ problem: 'cut', seq });
    });
  });

  it('when its end was cut off, though it says itself that it is signed', () => {
    check((shape, index) => {
      const log = buildLog(shape, signer);
      const beginning = canonicalJson({ ...(JSON.parse(log.beginning) as JsonObject), signed: true });
      const lines = joinLog({ ...log, beginning });
      expect(verify(lines, {}).finding).toBeUndefined();
      // Up to a checkpoint everything is signed: only a later one from elsewhere shows that there was more.
      const rest = lines.slice(0, index + 2);
      const isSigned = (JSON.parse(rest.at(-1) ?? '') as JsonObject)['event'] === 'AUDIT_CHECKPOINT';
      const last = rest.findLast((line) => line.includes('"RACI_AUDIT"'));
      const cut = { problem: 'cut', seq: entryOf(last).seq + 1 };
      expect(verify(rest, {}).finding ?? {}).toMatchObject(isSigned ? {} : cut);
    });
  });

  it('when two records were swapped', () => {
    check((shape, index) => {
      const lines = bare(buildLog(shape, signer));
      const [one = '', next = ''] = lines.slice(index + 1, index + 3);
      const tampered = lines.with(index + 1, next).with(index + 2, one);
      const { seq } = entryOf(next);
      expect(found(verify(tampered).finding)).toEqual({ problem: 'swapped', seq, line: index + 2 });
    }, 1);
  });

  it('when two records far from each other were swapped', () => {
    check((shape, index) => {
      const lines = bare(buildLog(shape, signer));
      const last = lines.length - 1;
      const tampered = lines.with(index + 1, lines[last] ?? '').with(last, lines[index + 1] ?? '');
      const { seq } = entryOf(lines[last]);
      expect(found(verify(tampered).finding)).toEqual({ problem: 'swapped', seq, line: index + 2 });
    }, 1);
  });

  it('when a record was put in, however well it is made', () => {
    check((shape, index) => {
      const lines = bare(buildLog(shape, signer));
      const genuine = entryOf(lines[index + 1]);
      const forged = rehashed(edited(genuine));
      const finding = verify(lines.toSpliced(index + 1, 0, forged)).finding;
      expect(found(finding)).toEqual({ problem: 'inserted', seq: genuine.seq, line: index + 2 });
      const again = verify(lines.toSpliced(index + 2, 0, lines[index + 1] ?? '')).finding;
      expect(found(again)).toEqual({ problem: 'inserted', seq: genuine.seq, line: index + 3 });
      const foreign = rehashed({ ...bodyOf(genuine.seq, genuine.prev_hash, {}), tenant_id: 'umbrella', hash: '' });
      expect(found(verify(lines.toSpliced(index + 1, 0, foreign)).finding)?.problem).toBe('inserted');
    }, 1);
  });

  it('when a record was hashed anew by itself', () => {
    check((shape, index) => {
      const lines = bare(buildLog(shape, signer));
      const entry = entryOf(lines[index + 1]);
      const finding = verify(lines.with(index + 1, rehashed(edited(entry)))).finding;
      expect(found(finding)).toEqual({ problem: 'restamped', seq: entry.seq, line: index + 2 });
    }, 1);
  });

  it('when the whole log was hashed anew from a record on, by the first checkpoint after it', () => {
    check((shape, index) => {
      const genuine = buildLog(shape, signer);
      const { seq } = entryOf(genuine.entries[index]);
      const anew = buildLog(shape, other, (body) => (body.seq === seq ? { ...body, outcome: 'denied' } : body));
      const notes = [...genuine.notes.entries()];
      const good = notes.findLast(([size]) => size < seq)?.[0] ?? shape.after;
      const finding = verify(bare(anew), { key, checkpoints: notes.map(([, note]) => note) }).finding;
      expect(finding).toMatchObject({ problem: 'restamped', seq: good + 1, line: good - shape.after + 2 });
      expect(finding?.seq).toBeLessThanOrEqual(seq);
      // The checkpoints that were made anew with it are of another key.
      expect(verify(joinLog(anew)).finding?.problem).toBe('foreign_key');
    });
  });

  it('when a checkpoint is of another key, of another log, or not what was signed', () => {
    const shape = { details: [{}, {}, {}, {}], checkpointEvery: 9, after: 0 };
    const log = buildLog(shape, signer);
    const [note = ''] = lastNote(log);
    const problem = (given: string) => verify(bare(log), { key, checkpoints: [given] }).finding?.problem;
    expect(problem(note)).toBeUndefined();
    expect(problem(lastNote(buildLog(shape, other))[0] ?? '')).toBe('foreign_key');
    expect(problem(note.replace('/acme\n', '/umbrella\n'))).toBe('foreign_key');
    expect(problem(note.replace('\n4\n', '\n3\n'))).toBe('forged');
    expect(problem('a note')).toBe('unreadable');
  });

  it('when a line is none of an export', () => {
    const lines = bare(buildLog({ details: [{}, {}, {}, {}], checkpointEvery: 9, after: 0 }, signer));
    for (const text of ['{', '[]', '{}', '{"event":"RACI_AUDIT","tenant_id":"acme","seq":-1}']) {
      expect(found(verify(lines.with(3, text)).finding)).toEqual({ problem: 'unreadable', seq: 3, line: 4 });
    }
  });

  it('when a name was put under a reference of somebody else', () => {
    const lines = joinLog(buildLog({ details: [{}, {}, {}, {}], checkpointEvery: 9, after: 0 }, signer));
    const salt = 'ab'.repeat(32);
    const person = { event: 'AUDIT_PERSON', tenant_id: TENANT, salt, reference: referenceOf(TENANT, 'ann', salt) };
    const named = (name: string) => [...lines, canonicalJson({ ...person, name })];
    expect(verify(named('ann')).finding).toBeUndefined();
    expect(verify(named('bob')).finding).toMatchObject({ problem: 'impostor', line: lines.length + 1 });
  });
});

describe('a file of checkpoints', () => {
  it('holds any number of notes, one after the other', () => {
    const notes = [1, 2, 3].map((size) => signer.sign({ origin: 'o', size, root: 'ab'.repeat(32) }));
    expect(splitNotes(notes.join(''))).toEqual(notes);
    expect(splitNotes(`${notes.join('\n\n')}\n`)).toEqual(notes);
    expect(splitNotes('')).toEqual([]);
  });
});
