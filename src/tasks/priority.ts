/**
 * How urgent a task is. Five classes, each with the number the seed system gave it; a lower number is served first.
 * Waiting makes a task more urgent, one class for every ageing period, so that no class can starve another.
 */

/** Most urgent first; the place in this list is the class's rank. */
export const priorities = ['critical', 'high', 'normal', 'low', 'background'] as const;
export type Priority = (typeof priorities)[number];

export const priorityNumbers: Readonly<Record<Priority, number>> = {
  critical: 1,
  high: 2,
  normal: 5,
  low: 8,
  background: 10,
};

/** From 0, the most urgent, to 4. */
export function rankOf(priority: Priority): number {
  return priorities.indexOf(priority);
}

export function priorityOfRank(rank: number): Priority {
  return priorities[Math.min(Math.max(rank, 0), priorities.length - 1)] ?? 'normal';
}

/**
 * A priority as a caller writes it: a name in any case, or a whole number from 1 to 10, which means the class with the
 * nearest number at or above it (3 is `normal`, 6 is `low`). Numbers may come as texts.
 * @returns undefined when it is neither
 */
export function priorityFrom(given: string | number): Priority | undefined {
  const text = String(given).trim().toLowerCase();
  const named = priorities.find((priority) => priority === text);
  if (named !== undefined || !/^([1-9]|10)$/.test(text)) return named;
  return priorities.find((priority) => priorityNumbers[priority] >= Number(text));
}

/**
 * The rank a task counts with after waiting: one class more urgent for every full ageing period. The claim in the
 * database (`store/tables/task.ts`) follows the same rule.
 */
export function agedRank(rank: number, waitedMs: number, agingSeconds: number): number {
  return Math.max(0, rank - Math.max(0, Math.floor(waitedMs / (agingSeconds * 1000))));
}
