/**
 * Who is present, where many come and go. A `Set` would do but for one thing: every few dozen changes it grows a new
 * table and chains the old one to it, and once one table of that chain has become old to the garbage collector, all later
 * ones, with everyone they ever held, outlive the young generation. Under load that tripled the resident set and made a
 * collection of garbage forty times as long.
 */

/** Someone who can be on one roster. */
export interface Member {
  /** Kept by the roster. */
  place: number;
}

export class Roster<Present extends Member> implements Iterable<Present> {
  readonly #present: Present[] = [];

  get size(): number {
    return this.#present.length;
  }

  add(member: Present): void {
    member.place = this.#present.length;
    this.#present.push(member);
  }

  /** Takes off one who is on it; the order of the others is not kept. */
  delete(member: Present): void {
    const last = this.#present.pop();
    if (last === undefined || last === member) return;
    this.#present[member.place] = last;
    last.place = member.place;
  }

  /** Those who are on it now; they may leave meanwhile. */
  [Symbol.iterator](): Iterator<Present> {
    return [...this.#present][Symbol.iterator]();
  }
}
