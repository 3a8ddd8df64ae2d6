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
}
