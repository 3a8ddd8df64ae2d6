/** A broken rule: where, which one, and what to do about it. */
export interface Finding {
  /** `file:line`, or the file alone. */
  readonly where: string;
  readonly rule: string;
  readonly todo: string;
}

export function describeFindings(findings: readonly Finding[]): string {
  return findings.map(({ where, rule, todo }) => `${where}\n    rule: ${rule}\n    do:   ${todo}`).join('\n');
}
