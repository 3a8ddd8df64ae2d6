#!/usr/bin/env node
/**
 * The edge of the command `aos`: arguments and files in, sentences and an exit code out. It needs no server.
 *
 *   aos audit verify <export.ndjson> [--checkpoint <file>]… [--key <file or key>]
 *   aos key new <name> --role <role>… [--tenant <id>] [--user <id>]
 *
 * Exit codes: 0 it is what was written, 1 it is not, 2 the command cannot be carried out.
 */
import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { readVerifierKey } from './governance/audit/checkpoint.ts';
import { type ReadLine, readLine } from './governance/audit/export-reading.ts';
import { splitNotes } from './governance/audit/note-file.ts';
import { type Verdict, verifyExport } from './governance/audit/verification.ts';
import { makeApiKey } from './identity/api-key.ts';

const USAGE = `aos audit verify <export.ndjson> [--checkpoint <file>]... [--key <file or key>]

Verifies an export of the audit log without any server: every record, their order, and the checkpoints in the export
and in the files. Names the first bad record. "-" reads standard input. With --key (what GET /api/v1/aoa/audit/checkpoint
answers as verifier_key, or a file of it) signatures are verified too.

aos key new <name> --role <role>... [--tenant <id>] [--user <id>]

Makes an API key. Standard output gets what belongs into the file that AOS_API_KEYS_FILE names, as an item of its list;
standard error gets the key itself, which is not kept anywhere: give it to whoever is to use it. Roles: viewer, operator,
approver, admin. Without --tenant it is for the tenant "default", without --user its user is "key:<name>".
`;

try {
  process.exitCode = await run(process.argv.slice(2));
} catch (failure) {
  process.stderr.write(`aos: ${failure instanceof Error ? failure.message : String(failure)}\n`);
  process.exitCode = 2;
}

async function run(given: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: given,
    allowPositionals: true,
    options: {
      checkpoint: { type: 'string', multiple: true },
      key: { type: 'string' },
      role: { type: 'string', multiple: true },
      tenant: { type: 'string' },
      user: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  const [noun, verb, file, ...more] = positionals;
  if (values.help === true) {
    process.stdout.write(USAGE);
    return 0;
  }
  if (noun === 'key' && verb === 'new' && file !== undefined && more.length === 0 && values.role !== undefined) {
    return newKey(file, { roles: values.role, tenant: values.tenant, user: values.user });
  }
  if (noun !== 'audit' || verb !== 'verify' || file === undefined || more.length > 0) {
    process.stderr.write(USAGE);
    return 2;
  }
  const key = values.key === undefined ? undefined : readVerifierKey(textOf(values.key));
  const checkpoints = (values.checkpoint ?? []).flatMap((path) => splitNotes(readFileSync(path, 'utf8')));
  const lines = await readExport(file);
  if (lines.length === 0) throw new Error(`${file} is empty: an export of an audit log has a line at least`);
  const verdict = verifyExport(lines, { checkpoints, key });
  say(verdict, file);
  return verdict.finding === undefined ? 0 : 1;
}

function newKey(
  name: string,
  { roles, tenant, user }: { roles: string[]; tenant: string | undefined; user: string | undefined },
): number {
  const { key, record } = makeApiKey({ name, tenant, user, roles });
  process.stderr.write(`The key, shown this once: ${key}\n`);
  process.stdout.write(`${JSON.stringify(record)}\n`);
  return 0;
}

/** The text of a file, or what was given itself. */
function textOf(given: string): string {
  return existsSync(given) ? readFileSync(given, 'utf8') : given;
}

async function readExport(file: string): Promise<ReadLine[]> {
  const input = file === '-' ? process.stdin : createReadStream(file);
  const failed = new Promise<never>((_resolve, reject) => input.once('error', reject));
  const read = async () => {
    const lines: ReadLine[] = [];
    let number = 0;
    for await (const text of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
      number += 1;
      if (text !== '') lines.push(readLine(text, number));
    }
    return lines;
  };
  return Promise.race([read(), failed]);
}

function say({ finding, tenantId, entries, signedUpTo, warnings }: Verdict, file: string): void {
  if (finding !== undefined) {
    const which = finding.seq === undefined ? '' : `record ${finding.seq}, `;
    process.stdout.write(`${file}: NOT what was written (${which}${finding.problem}): ${finding.sentence}\n`);
    return;
  }
  const signed = signedUpTo > 0 ? `, signed up to ${signedUpTo}` : '';
  process.stdout.write(`${file}: good: ${entries} records of tenant ${tenantId ?? '(none)'}${signed}\n`);
  for (const warning of warnings) process.stdout.write(`  note: ${warning}\n`);
}
