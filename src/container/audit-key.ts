/**
 * The key that signs audit checkpoints: the operator's file, or one of this server's own beside its data, made at the
 * first start.
 */
import { generateKeyPairSync } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { asError } from '../core/errors.ts';
import { type CheckpointSigner, createCheckpointSigner } from '../governance/audit/checkpoint.ts';
import type { Log } from '../telemetry/log.ts';

const KEY_NAME = 'aos-agent-server';
const OWN_FILE = 'audit-key.pem';

export interface AuditKeyPlace {
  /** PEM of an Ed25519 key; undefined: the server's own inside `dataDir`. */
  readonly file: string | undefined;
  readonly dataDir: string;
}

/**
 * @returns undefined when the server can keep no key of its own; that is logged
 * @throws Error with a sentence for people when the operator's file cannot be used
 */
export async function loadAuditSigner(
  { file, dataDir }: AuditKeyPlace,
  log: Log,
): Promise<CheckpointSigner | undefined> {
  if (file !== undefined) {
    try {
      return createCheckpointSigner({ key: await readFile(file, 'utf8'), name: KEY_NAME });
    } catch (failure) {
      throw new Error(`AOS_AUDIT_KEY_FILE ("${file}") cannot be used: ${asError(failure).message}`, { cause: failure });
    }
  }
  const own = join(dataDir, OWN_FILE);
  try {
    await makeKey(own);
    return createCheckpointSigner({ key: await readFile(own, 'utf8'), name: KEY_NAME });
  } catch (failure) {
    log.info('the audit log is not signed: there is no key, and none could be kept (see AOS_AUDIT_KEY_FILE)', {
      file: own,
      reason: asError(failure).message,
    });
    return undefined;
  }
}

/** Unless there is one: it is never replaced. */
async function makeKey(file: string): Promise<void> {
  const { privateKey } = generateKeyPairSync('ed25519');
  const pem = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
  await writeFile(file, pem, { flag: 'wx', mode: 0o600, flush: true }).catch((failure: unknown) => {
    const isThere = failure instanceof Error && 'code' in failure && failure.code === 'EEXIST';
    if (!isThere) throw failure;
  });
}
