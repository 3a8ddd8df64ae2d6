/** What is wrong with a log. */

export type Problem =
  /** Not a line of an export. */
  | 'unreadable'
  /** It says something else than its hash was made of. */
  | 'edited'
  /** Records are not there. */
  | 'deleted'
  /** It stands where another belongs that comes later. */
  | 'swapped'
  /** It was never part of the log. */
  | 'inserted'
  /** It was hashed anew, or the log was from there on. */
  | 'restamped'
  /** Records at the end are not there. */
  | 'cut'
  /** The checkpoint is of another key, or of another log. */
  | 'foreign_key'
  /** The signature of the checkpoint does not fit what it says. */
  | 'forged'
  /** A name that is not the one the reference was made of. */
  | 'impostor';

export interface Finding {
  readonly problem: Problem;
  /** Number of the first bad record; for `restamped` by a checkpoint, of the first that may be it. */
  readonly seq: number | undefined;
  /** Line of the export, counted from 1; undefined for what is not in it. */
  readonly line: number | undefined;
  /** For people. */
  readonly sentence: string;
}
