import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadAuditSigner } from '../../src/container/audit-key.ts';
import { recordingLog, silentLog } from '../support/log.ts';

let dataDir: string;
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'aos-audit-key-'));
});
afterAll(() => rm(dataDir, { recursive: true, force: true }));

describe('the key that signs the audit log', () => {
  it('is made once, for nobody else to read, and stays', async () => {
    const first = await loadAuditSigner({ file: undefined, dataDir }, silentLog);
    const own = join(dataDir, 'audit-key.pem');
    expect((await stat(own)).mode & 0o777).toBe(0o600);
    const again = await loadAuditSigner({ file: undefined, dataDir }, silentLog);
    expect(again?.verifierKey).toBe(first?.verifierKey);
    expect((await loadAuditSigner({ file: own, dataDir: '/nowhere' }, silentLog))?.verifierKey).toBe(
      first?.verifierKey,
    );
    expect(await readFile(own, 'utf8')).toContain('PRIVATE KEY');
  });

  it("is the operator's file or none: a file that cannot be used is said at once", async () => {
    const file = join(dataDir, 'other.pem');
    await expect(loadAuditSigner({ file, dataDir }, silentLog)).rejects.toThrow(`AOS_AUDIT_KEY_FILE ("${file}")`);
    await writeFile(file, 'no key');
    await expect(loadAuditSigner({ file, dataDir }, silentLog)).rejects.toThrow('cannot be used');
  });

  it('may be missing where none can be kept, which is logged', async () => {
    const log = recordingLog();
    expect(await loadAuditSigner({ file: undefined, dataDir: '/nowhere' }, log)).toBeUndefined();
    expect(log.lines.map(({ message }) => message).join()).toContain('not signed');
  });
});
