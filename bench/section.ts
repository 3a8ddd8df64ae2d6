/**
 * What a section of the benchmark is given and what it gives back.
 */
export interface Effort {
  rounds: number;
  /** Length of one measured window. */
  windowMs: number;
}

export interface SectionResult {
  /** For the JSON file. */
  data: unknown;
  /** For the terminal. */
  text: string;
  /** What the figures should be, beside what they are. */
  aims: readonly Aim[];
}

export interface Aim {
  what: string;
  measured: number;
  /** The figure that is aimed at, and on which side of it is good. */
  is: 'at least' | 'at most';
  aim: number;
}

export function isMet({ measured, is, aim }: Aim): boolean {
  return is === 'at least' ? measured >= aim : measured <= aim;
}
