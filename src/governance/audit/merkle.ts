/**
 * The Merkle tree of RFC 6962 over the entries of a log: one hash stands for all of it, and a few hashes prove that an
 * entry is in it or that it only grew. Hashes are lower-case hex; the hash of an entry is the hash of its leaf.
 *
 * What is kept of a growing tree is its *range*: the roots of its perfect subtrees, the largest first. A tree of n leaves
 * has one for every bit of n.
 */
import { createHash } from 'node:crypto';

const LEAF = Buffer.of(0);
const NODE = Buffer.of(1);

export const EMPTY_ROOT = createHash('sha256').digest('hex');

export function leafHash(data: string | Uint8Array): string {
  return createHash('sha256').update(LEAF).update(data).digest('hex');
}

export function nodeHash(left: string, right: string): string {
  return createHash('sha256').update(NODE).update(left, 'hex').update(right, 'hex').digest('hex');
}

/** @param range of a tree of `size` leaves @returns the range with one more leaf */
export function appendLeaf(range: readonly string[], size: number, leaf: string): string[] {
  const grown = [...range];
  let last = leaf;
  // As many subtrees are complete now as there are ones at the end of the size.
  for (let rest = size; rest % 2 === 1; rest = (rest - 1) / 2) last = nodeHash(grown.pop() ?? '', last);
  grown.push(last);
  return grown;
}

export function rootOf(range: readonly string[]): string {
  const [last, ...before] = range.toReversed();
  return last === undefined ? EMPTY_ROOT : before.reduce((right, left) => nodeHash(left, right), last);
}

export function rangeOf(leaves: readonly string[]): string[] {
  return leaves.reduce<string[]>((range, leaf, size) => appendLeaf(range, size, leaf), []);
}

/** How many roots the range of a tree of `size` leaves has. */
export function rangeLength(size: number): number {
  let ones = 0;
  for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) ones += rest % 2;
  return ones;
}

/** The hashes beside the way from a leaf (counted from 0) to the root, the lowest first. */
export function inclusionProof(leaves: readonly string[], index: number): string[] {
  if (leaves.length <= 1) return [];
  const split = splitOf(leaves.length);
  const [left, right] = [leaves.slice(0, split), leaves.slice(split)];
  return index < split
    ? [...inclusionProof(left, index), rootOf(rangeOf(right))]
    : [...inclusionProof(right, index - split), rootOf(rangeOf(left))];
}

export function verifyInclusion(leaf: string, index: number, size: number, proof: readonly string[], root: string) {
  if (index < 0 || index >= size) return false;
  let [node, last, hash] = [index, size - 1, leaf];
  for (const beside of proof) {
    if (last === 0) return false;
    if (node % 2 === 1 || node === last) {
      hash = nodeHash(beside, hash);
      // The last node of a row without a partner goes up as it is.
      while (node % 2 === 0 && node !== 0) [node, last] = [half(node), half(last)];
    } else {
      hash = nodeHash(hash, beside);
    }
    [node, last] = [half(node), half(last)];
  }
  return last === 0 && hash === root;
}

/** The hashes that prove that the tree of the first `size` leaves is the beginning of the whole. */
export function consistencyProof(leaves: readonly string[], size: number): string[] {
  return size === 0 || size >= leaves.length ? [] : subproof(leaves, size, true);
}

function subproof(leaves: readonly string[], size: number, isWhole: boolean): string[] {
  if (size === leaves.length) return isWhole ? [] : [rootOf(rangeOf(leaves))];
  const split = splitOf(leaves.length);
  const [left, right] = [leaves.slice(0, split), leaves.slice(split)];
  return size <= split
    ? [...subproof(left, size, isWhole), rootOf(rangeOf(right))]
    : [...subproof(right, size - split, false), rootOf(rangeOf(left))];
}

/** Whether a tree of `size` leaves and `root` is the beginning of one of `newSize` leaves and `newRoot`. */
export function verifyConsistency(
  [size, root]: readonly [number, string],
  [newSize, newRoot]: readonly [number, string],
  proof: readonly string[],
): boolean {
  if (size > newSize) return false;
  if (size === newSize) return root === newRoot && proof.length === 0;
  if (size === 0) return proof.length === 0 && root === EMPTY_ROOT;
  let [node, last] = [size - 1, newSize - 1];
  while (node % 2 === 1) [node, last] = [half(node), half(last)];
  // A size that is a power of two is a subtree of the new tree, so its root is known already.
  const rest = [...(node === 0 ? [root] : []), ...proof];
  const first = rest.shift();
  if (first === undefined) return false;
  let [older, newer] = [first, first];
  for (const beside of rest) {
    if (last === 0) return false;
    if (node % 2 === 1 || node === last) {
      older = nodeHash(beside, older);
      newer = nodeHash(beside, newer);
      while (node % 2 === 0 && node !== 0) [node, last] = [half(node), half(last)];
    } else {
      newer = nodeHash(newer, beside);
    }
    [node, last] = [half(node), half(last)];
  }
  return last === 0 && older === root && newer === newRoot;
}

/** The largest power of two below `size`, which is above 1. */
function splitOf(size: number): number {
  let split = 1;
  while (split * 2 < size) split *= 2;
  return split;
}

function half(number: number): number {
  return Math.floor(number / 2);
}
