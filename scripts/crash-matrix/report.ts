/** The report of the matrix, as Markdown. Everything in it was measured in the run it tells of. */
import { cpus, loadavg, release, totalmem } from 'node:os';
import type { Trial } from './trial.ts';

export interface ReportSetting {
  readonly command: string;
  readonly startedAt: Date;
  readonly seconds: number;
  /** Of the boundaries every so-manieth. */
  readonly every: number;
}

export function writeReport(trials: readonly Trial[], setting: ReportSetting): string {
  const sum = (count: (trial: Trial) => number) => trials.reduce((all, trial) => all + count(trial), 0);
  const before = sum(({ killed }) => killed.before);
  const after = sum(({ killed }) => killed.after);
  const faults = trials.flatMap(({ scenario, faults: found }) => found.map((fault) => `- ${scenario}, ${fault}`));
  const rows = trials.map((trial) => rowOf(trial.scenario, [trial]));
  const starts = trials.flatMap(({ resumedAfterMs }) => resumedAfterMs);
  const serving = trials.flatMap(({ servingMs }) => servingMs);
  return `# The crash matrix

A process is killed (\`SIGKILL\`) at every boundary of its work, the next one takes over, and what is left at the end is
compared with the same work in a process that was left alone. This page is written by the command; nothing in it is
written by hand.

- Command: \`${setting.command}\`
- ${setting.startedAt.toISOString()}, ${(setting.seconds / 60).toFixed(1)} minutes${setting.every === 1 ? '' : `; quick: only every ${setting.every}th boundary`}
- Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, load ${loadavg()[0]?.toFixed(1)} at the end

**${before + after} processes killed**, ${before} before and ${after} after a commit. Runs lost: **${sum(({ lost }) => lost)}**. Events or effects that are there twice: **${sum(({ duplicates }) => duplicates)}**. Faults: **${faults.length}**.

| Scenario | killed before | killed after | model calls again | tool calls again | deliveries again | lost | duplicates | faults |
| --- | --: | --: | --: | --: | --: | --: | --: | --: |
${rows.join('\n')}
${rowOf('**all**', trials)}

| | p50 ms | p99 ms | times |
| --- | --: | --: | --: |
| from the start of a process to the first resumed step, loading its code included | ${quantile(starts, 0.5)} | ${quantile(starts, 0.99)} | ${starts.length} |
| the part of it after the code is loaded | ${quantile(serving, 0.5)} | ${quantile(serving, 0.99)} | ${serving.length} |
${faults.length === 0 ? '' : `\n## Faults\n\n${faults.map((fault) => fault.slice(0, 2000)).join('\n')}\n`}
## What is done

- **Boundaries**: every durable act of every run (admission, take-up, step, event, wait, signal, checkpoint, end: each
  event's commit is one of them), and every other transaction that writes (tasks, jobs, approvals, documents, callbacks).
  At each, one process dies with the transaction open (*before*) and in another life one right after its commit (*after*).
- **Compared** with the undisturbed life: status and result of every run, messages and documents of the session, tasks and
  their attempts, firings, approvals, what was sent; times and random ids aside. Where the work is an invocation, a client
  follows it through all deaths and must see every event once.
- **Checked** in every log: numbers without gaps, keys once, the chain of hashes, each turn, node, tool call, approval
  request and end told once.
- **Effects**: a decision that is recorded must be one document; a callback must be one message, whatever the number of
  its deliveries (the receiver tells repeats by \`webhook-id\`).
- **Again** counts work that was done more often than in the undisturbed life, over all deaths: a call that was under way
  when its process died is made again by the next.
- Approvals are decided over REST by a client that asks until it is heard, while processes die.
- The next process is loaded while the one before it works, so that there is always one; loading is part of the first
  figure above. The database server lives on; that it dies with its container is tested in \`test/store\`.
`;
}

function rowOf(name: string, trials: readonly Trial[]): string {
  const sum = (count: (trial: Trial) => number) => trials.reduce((all, trial) => all + count(trial), 0);
  const cells = [
    name,
    sum(({ killed }) => killed.before),
    sum(({ killed }) => killed.after),
    sum(({ repeats }) => repeats.modelCalls),
    sum(({ repeats }) => repeats.toolCalls),
    sum(({ repeats }) => repeats.deliveries),
    sum(({ lost }) => lost),
    sum(({ duplicates }) => duplicates),
    sum(({ faults }) => faults.length),
  ];
  return `| ${cells.join(' | ')} |`;
}

function quantile(values: readonly number[], share: number): string {
  const sorted = values.toSorted((one, other) => one - other);
  const value = sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
  return value === undefined ? '–' : value.toFixed(0);
}
