/** Who is asked next when nobody decides: the levels, and for each priority the way through them and the time at each. */

export const approvalPriorities = ['low', 'medium', 'high', 'critical'] as const;
export type ApprovalPriority = (typeof approvalPriorities)[number];

export const escalationLevels = ['none', 'team_lead', 'manager', 'director', 'executive', 'emergency'] as const;
export type EscalationLevel = (typeof escalationLevels)[number];

const paths: Readonly<Record<ApprovalPriority, readonly EscalationLevel[]>> = {
  low: ['team_lead'],
  medium: ['team_lead', 'manager'],
  high: ['manager', 'director'],
  critical: ['director', 'emergency'],
};

const minutes: Readonly<Record<ApprovalPriority, number>> = { low: 120, medium: 60, high: 30, critical: 15 };

/** How long each level has, in seconds. */
export function levelSeconds(priority: ApprovalPriority): number {
  return minutes[priority] * 60;
}

export interface EscalationStop {
  readonly level: EscalationLevel;
  /** The person who is asked; null when the level as such is. */
  readonly person: string | null;
}

/**
 * Where an approval goes next; undefined past the last stop, or when the wish is not above the present level.
 * @param wish a level or a person's name, in place of the priority's own next level
 */
export function nextStop(
  priority: ApprovalPriority,
  level: EscalationLevel,
  wish: string | null,
): EscalationStop | undefined {
  if (wish !== null && isLevel(wish)) return rank(wish) > rank(level) ? { level: wish, person: null } : undefined;
  const next = paths[priority].find((stop) => rank(stop) > rank(level));
  return next && { level: next, person: wish };
}

export function isLevel(text: string): text is EscalationLevel {
  return escalationLevels.some((level) => level === text);
}

function rank(level: EscalationLevel): number {
  return escalationLevels.indexOf(level);
}
