/**
 * `npm run policy:what-if -- --policy <file> [--raci <file>] [--preset <name>] [--budget <usd>] [--per tenant|agent|run]
 * [--budgets <file>] [--target <system>] [--since <time>] [--until <time>] [--limit <n>] [--server <url>] [--tenant <id>] [--json]`: asks a
 * running server what its recorded decisions would have been under other rules, and prints the difference.
 *
 * `npm run policy:what-if -- --test <file>…` runs tests of rules instead; no server is asked.
 */
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import type { JsonObject, JsonValue } from '../src/core/json.ts';
import { loadConditions } from '../src/governance/policy/condition.ts';
import { ruleTestSchema, tryCase } from '../src/governance/policy/rule-test.ts';
import type { Difference, WhatIfReport } from '../src/governance/policy/what-if.ts';
import { loadPolicy, readJsonFile } from '../src/governance/rule-file.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    policy: { type: 'string' },
    raci: { type: 'string' },
    preset: { type: 'string' },
    budget: { type: 'string' },
    budgets: { type: 'string' },
    per: { type: 'string', default: 'tenant' },
    target: { type: 'string' },
    action: { type: 'string' },
    since: { type: 'string' },
    until: { type: 'string' },
    limit: { type: 'string', default: '1000' },
    server: { type: 'string', default: 'http://127.0.0.1:8088' },
    tenant: { type: 'string' },
    test: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});

/** Rows that are shown of each list; `--json` shows all. */
const SHOWN = 20;

try {
  process.exitCode = values.test ? await runTests(positionals) : await ask();
} catch (failure) {
  process.stderr.write(`${failure instanceof Error ? failure.message : String(failure)}\n`);
  process.exitCode = 2;
}

async function runTests(files: readonly string[]): Promise<number> {
  if (files.length === 0) throw new Error('--test needs the files of tests, e.g. policies/default.policy.test.json');
  const conditions = await loadConditions();
  let failed = 0;
  for (const file of files) {
    const { policy: name, cases } = ruleTestSchema.parse(await readJsonFile(file, 'tests'));
    const policy = await loadPolicy(join(dirname(file), name), conditions);
    const faults = cases.map((each) => tryCase(policy, each)).filter((fault) => fault !== undefined);
    failed += faults.length;
    print(`${file}: ${cases.length - faults.length} of ${cases.length} as expected`);
    for (const fault of faults) print(`  ${fault}`);
  }
  return failed === 0 ? 0 : 1;
}

async function ask(): Promise<number> {
  const { policy, raci, preset, budget, budgets, per, target, action, since, until, limit, server, tenant } = values;
  if ([policy, raci, preset, budget, budgets].every((each) => each === undefined)) {
    throw new Error('nothing is to be different: name a --policy, a --raci, a --preset, a --budget or --budgets');
  }
  const named: Record<string, JsonValue | undefined> = {
    policy: policy === undefined ? undefined : await readJsonFile(policy, 'policy'),
    raci: raci === undefined ? undefined : await readJsonFile(raci, 'RACI matrix'),
    budget: budget === undefined ? undefined : { limit_usd: Number(budget), per },
    budgets: budgets === undefined ? undefined : await readJsonFile(budgets, 'file of budgets'),
    preset,
    target,
    action,
    since,
    until,
    limit: Number(limit),
  };
  const body = JSON.stringify(Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined)));
  const response = await fetch(new URL('/api/v1/governance/what-if', server), {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(tenant !== undefined && { 'x-tenant-id': tenant }) },
    body,
  });
  const answer = (await response.json()) as JsonObject;
  if (!response.ok) throw new Error(String(answer['detail'] ?? JSON.stringify(answer)));
  if (values.json) print(JSON.stringify(answer, null, 2));
  else show(answer as unknown as WhatIfReport);
  return 0;
}

function show(report: WhatIfReport): void {
  print(`${report.decided} decisions made again, ${report.unchanged} as they were`);
  list('newly blocked', report.newly_blocked);
  list('newly gated', report.newly_gated);
  list('newly allowed', report.newly_allowed);
  list('rerouted', report.rerouted);
  list('answered for by others', report.reassigned);
  list('not decidable', report.undecidable);
  const { before, after } = report.cost_usd;
  print(`cost: ${before} USD before, ${after} USD after`);
  if (report.approvals.length > 0) print('approvals per person (before, after):');
  for (const each of report.approvals) print(`  ${each.person}: ${each.before}, ${each.after}`);
}

function list(title: string, differences: readonly Difference[]): void {
  if (differences.length === 0) return;
  print(`${title}: ${differences.length}`);
  for (const { at, action, agent_id: agent, before, after, reason } of differences.slice(0, SHOWN)) {
    print(`  ${at} ${action}${agent === null ? '' : ` by ${agent}`}: ${before} → ${after}. ${reason}`);
  }
  if (differences.length > SHOWN) print(`  … ${differences.length - SHOWN} more`);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
