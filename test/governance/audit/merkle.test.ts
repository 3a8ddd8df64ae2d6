import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  appendLeaf,
  consistencyProof,
  EMPTY_ROOT,
  inclusionProof,
  leafHash,
  rangeLength,
  rangeOf,
  rootOf,
  verifyConsistency,
  verifyInclusion,
} from '../../../src/governance/audit/merkle.ts';

/** The leaves that the tests of Certificate Transparency use. */
const KNOWN = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'];

const leavesOf = (size: number) => Array.from({ length: size }, (_, place) => leafHash(`leaf ${place}`));

describe('the Merkle tree', () => {
  it('has the roots of Certificate Transparency', () => {
    const leaves = KNOWN.map((hex) => leafHash(Buffer.from(hex, 'hex')));
    expect(EMPTY_ROOT).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
    expect(rootOf([])).toBe(EMPTY_ROOT);
    expect(rootOf(rangeOf(leaves.slice(0, 1)))).toBe(
      '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
    );
    expect(rootOf(rangeOf(leaves))).toBe('5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328');
  });

  it('keeps one root for every bit of its size', () => {
    let range: readonly string[] = [];
    for (const [size, leaf] of leavesOf(70).entries()) {
      range = appendLeaf(range, size, leaf);
      expect(range).toHaveLength(rangeLength(size + 1));
    }
    expect(range).toEqual(rangeOf(leavesOf(70)));
  });

  it('proves every leaf of every size, and no other leaf', () => {
    for (let size = 1; size <= 33; size++) {
      const leaves = leavesOf(size);
      const root = rootOf(rangeOf(leaves));
      for (const [index, leaf] of leaves.entries()) {
        const proof = inclusionProof(leaves, index);
        expect(verifyInclusion(leaf, index, size, proof, root)).toBe(true);
        expect(verifyInclusion(leafHash('other'), index, size, proof, root)).toBe(false);
        if (size > 1) expect(verifyInclusion(leaf, (index + 1) % size, size, proof, root)).toBe(false);
      }
    }
  });

  it('proves every beginning, and nothing that is none', () => {
    for (let size = 1; size <= 33; size++) {
      const leaves = leavesOf(size);
      const root = rootOf(rangeOf(leaves));
      for (let before = 0; before <= size; before++) {
        const older = rootOf(rangeOf(leaves.slice(0, before)));
        const proof = consistencyProof(leaves, before);
        expect(verifyConsistency([before, older], [size, root], proof)).toBe(true);
        expect(verifyConsistency([before, leafHash('other')], [size, root], proof)).toBe(false);
      }
    }
  });

  it('takes no proof that was damaged', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 200 }), fc.nat(), fc.nat(), (size, pick, place) => {
        const leaves = leavesOf(size);
        const index = pick % size;
        const proof = inclusionProof(leaves, index);
        const damaged = proof.with(place % proof.length, leafHash('damaged'));
        const root = rootOf(rangeOf(leaves));
        expect(verifyInclusion(leaves[index] ?? '', index, size, damaged, root)).toBe(false);
        expect(verifyInclusion(leaves[index] ?? '', index, size, proof.slice(1), root)).toBe(false);
      }),
      { numRuns: 50 },
    );
  });
});
