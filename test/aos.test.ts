import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findApiKey, readApiKeys } from '../src/identity/api-key.ts';
import { testSigner } from './support/audit.ts';
import { buildLog, joinLog } from './support/audit-export.ts';

const PROGRAM = join(import.meta.dirname, '../src/aos.ts');
const signer = testSigner();
const log = buildLog({ details: [{}, {}, {}, {}, {}, {}], checkpointEvery: 2, after: 0 }, signer);
const lines = joinLog(log);
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aos-command-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function file(name: string, content: string | readonly string[]): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, typeof content === 'string' ? content : content.map((line) => `${line}\n`).join(''));
  return path;
}

async function aos(given: readonly string[], input = ''): Promise<{ code: number; out: string; err: string }> {
  const child = spawn(process.execPath, [PROGRAM, ...given]);
  const ended = new Promise<number>((resolve) => child.once('close', (code) => resolve(code ?? -1)));
  child.stdin.on('error', () => {}).end(input);
  const [code, out, err] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  return { code, out, err };
}

describe('aos audit verify', () => {
  it('says that an export is good, up to where it is signed', async () => {
    const whole = await file('good.ndjson', lines);
    const key = await file('key', `${signer.verifierKey}\n`);
    expect(await aos(['audit', 'verify', whole, '--key', key])).toEqual({
      code: 0,
      out: `${whole}: good: 6 records of tenant acme, signed up to 6\n`,
      err: '',
    });
    const unsigned = await aos(['audit', 'verify', '-'], lines.join('\n'));
    expect(unsigned.out).toContain('note: there is no key');
    expect(unsigned.code).toBe(0);
  });

  it('names the first bad record, and says by its exit code that there is one', async () => {
    const bad = await file('bad.ndjson', lines.with(2, (lines[2] ?? '').replace('"crm"', '"erp"')));
    const { code, out } = await aos(['audit', 'verify', bad]);
    expect(out).toBe(
      `${bad}: NOT what was written (record 2, edited): line 3: record 2 says something else than its hash was made of\n`,
    );
    expect(code).toBe(1);
  });

  it('finds a tail that was cut off, by the checkpoints of a file', async () => {
    const cut = await file('cut.ndjson', lines.slice(0, 4));
    const notes = await file('notes', [...log.notes.values()].join('\n'));
    expect((await aos(['audit', 'verify', cut, '--key', signer.verifierKey])).code).toBe(0);
    const { code, out } = await aos(['audit', 'verify', cut, '--checkpoint', notes, '--key', signer.verifierKey]);
    expect(out).toContain('(record 3, cut): records 3 to 6 are not there');
    expect(code).toBe(1);
  });

  it('does not take an empty file for an export', async () => {
    const empty = await file('empty.ndjson', '');
    const { code, err } = await aos(['audit', 'verify', empty]);
    expect(err).toBe(`aos: ${empty} is empty: an export of an audit log has a line at least\n`);
    expect(code).toBe(2);
  });

  it.each<[string[], RegExp]>([
    [[], /^aos audit verify </],
    [['audit', 'forge', 'x'], /^aos audit verify </],
    [['audit', 'verify', '/nowhere/export'], /^aos: ENOENT/],
    [['audit', 'verify', 'x', '--key', 'y'], /^aos: the key is none/],
    [['audit', 'verify', 'x', '--colour'], /^aos: Unknown option/],
  ])('says what is wrong with %j', async (given, said) => {
    const { code, err } = await aos(given);
    expect(err).toMatch(said);
    expect(code).toBe(2);
  });
});

describe('aos key new', () => {
  it('prints the record for the file of keys, and the key apart from it', async () => {
    const { code, out, err } = await aos(['key', 'new', 'sync', '--tenant', 'acme', '--role', 'operator']);
    expect(code).toBe(0);
    const [, key = ''] = /The key, shown this once: (aos_\S+)\n/.exec(err) ?? [];
    expect(out).not.toContain(key);
    expect(findApiKey(readApiKeys(`[${out}]`, 'it'), key)).toMatchObject({ name: 'sync', tenant: 'acme' });
  });

  it('refuses a role that there is not, and a key without one', async () => {
    expect(await aos(['key', 'new', 'sync', '--role', 'baker'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('the role "baker", which there is not'),
    });
    expect(await aos(['key', 'new', 'sync'])).toMatchObject({ code: 2, err: expect.stringContaining('aos key new') });
  });
});

describe('the command on an older Node', () => {
  it('says which one it needs, and nothing else', async () => {
    const old = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.20.2' } })`;
    const older = ['--import', `data:text/javascript,${encodeURIComponent(old)}`];
    const child = spawn(process.execPath, [...older, join(import.meta.dirname, '../bin/aos.js'), 'audit', 'verify']);
    const ended = new Promise<number>((resolve) => child.once('close', (code) => resolve(code ?? -1)));
    const [code, said] = await Promise.all([ended, text(child.stderr)]);
    expect([code, said]).toEqual([
      2,
      expect.stringMatching(/^aos needs Node 24 or newer, and this is Node 20\.20\.2\. .*\n$/),
    ]);
  });
});
