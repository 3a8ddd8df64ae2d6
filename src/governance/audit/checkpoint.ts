/**
 * Checkpoints: what a log was at one moment, signed, in the text form of C2SP tlog-checkpoint (a signed note): origin,
 * size and root, one per line, an empty line, and the signature. Kept elsewhere, one shows that a log was cut or made
 * anew, which its own chain cannot show.
 */
import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';

/** Of signed notes: Ed25519. */
const ALGORITHM = 1;
/** What stands before the 32 bytes of an Ed25519 public key in its DER form. */
const SPKI_HEAD = Buffer.from('302a300506032b6570032100', 'hex');
const SIGNATURE = /^— (\S+) (\S+)$/;

export interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  /** Lower-case hex. */
  readonly root: string;
}

export interface SignedCheckpoint extends Checkpoint {
  /** What is signed: all up to the empty line. */
  readonly text: string;
  readonly signatures: readonly { readonly name: string; readonly keyId: string; readonly bytes: Buffer }[];
}

export interface CheckpointSigner {
  /** Name of the key, without blanks and `+`. */
  readonly name: string;
  /** What verifies its signatures: `<name>+<id>+<base64 of the key>`. */
  readonly verifierKey: string;
  /** The note with its signature. */
  sign(checkpoint: Checkpoint): string;
}

export interface CheckpointVerifier {
  readonly name: string;
  readonly keyId: string;
  readonly key: KeyObject;
}

/** What the log of a tenant is called in its checkpoints. */
export function originOf(tenantId: string): string {
  return `aos-agent-server/audit/${encodeURIComponent(tenantId)}`;
}

/**
 * @param key Ed25519, PEM (PKCS #8)
 * @throws Error with a sentence for people when the key is of another kind
 */
export function createCheckpointSigner({ key, name }: { key: string; name: string }): CheckpointSigner {
  if (!/^[^\s+]+$/.test(name)) throw new Error(`the name of an audit key has no blanks and no "+", got "${name}"`);
  const secret = createPrivateKey(key);
  if (secret.asymmetricKeyType !== 'ed25519') {
    throw new Error(`audit checkpoints are signed with an Ed25519 key, got ${secret.asymmetricKeyType}`);
  }
  const bytes = publicBytes(createPublicKey(secret));
  const id = keyIdOf(name, bytes);
  return {
    name,
    verifierKey: `${name}+${id}+${Buffer.concat([Buffer.of(ALGORITHM), bytes]).toString('base64')}`,
    sign(checkpoint) {
      const text = textOf(checkpoint);
      const signature = Buffer.concat([Buffer.from(id, 'hex'), sign(null, Buffer.from(text), secret)]);
      return `${text}\n— ${name} ${signature.toString('base64')}\n`;
    },
  };
}

/**
 * @param text a verifier key as `verifierKey`
 * @throws Error with a sentence for people
 */
export function readVerifierKey(text: string): CheckpointVerifier {
  const [, name, keyId, encoded] = /^([^\s+]+)\+([0-9a-f]{8})\+(\S+)$/.exec(text.trim()) ?? [];
  const bytes = Buffer.from(encoded ?? '', 'base64');
  if (name === undefined || keyId === undefined || bytes.length !== 33 || bytes[0] !== ALGORITHM) {
    throw new Error('the key is none: expected <name>+<8 hex digits>+<base64>, as a server tells its own');
  }
  const raw = bytes.subarray(1);
  if (keyIdOf(name, raw) !== keyId) throw new Error('the key is damaged: its id is not that of its bytes');
  const key = createPublicKey({ key: Buffer.concat([SPKI_HEAD, raw]), format: 'der', type: 'spki' });
  return { name, keyId, key };
}

/** @throws Error with a sentence for people when it is no checkpoint */
export function readCheckpoint(note: string): SignedCheckpoint {
  const end = note.indexOf('\n\n');
  const text = note.slice(0, end + 1);
  const [origin = '', size = '', root = ''] = text.split('\n');
  const hash = Buffer.from(root, 'base64');
  const signatures = note
    .slice(end + 2)
    .split('\n')
    .filter((line) => line !== '')
    .map(readSignature);
  const isSized = /^(0|[1-9]\d{0,15})$/.test(size);
  if (end < 0 || origin === '' || !isSized || hash.length !== 32 || signatures.includes(undefined)) {
    throw new Error('it is no checkpoint: expected origin, size and root, an empty line and a signature');
  }
  const all = signatures.flatMap((signature) => signature ?? []);
  return { origin, size: Number(size), root: hash.toString('hex'), text, signatures: all };
}

/** 'good'; 'forged' when the key's own signature does not fit; 'foreign' when it did not sign at all. */
export function judgeSignature(
  { text, signatures }: SignedCheckpoint,
  { name, keyId, key }: CheckpointVerifier,
): 'good' | 'forged' | 'foreign' {
  const own = signatures.find((signature) => signature.name === name && signature.keyId === keyId);
  if (own === undefined) return 'foreign';
  return verify(null, Buffer.from(text), key, own.bytes) ? 'good' : 'forged';
}

function textOf({ origin, size, root }: Checkpoint): string {
  return `${origin}\n${size}\n${Buffer.from(root, 'hex').toString('base64')}\n`;
}

function readSignature(line: string) {
  const [, name, encoded] = SIGNATURE.exec(line) ?? [];
  const bytes = Buffer.from(encoded ?? '', 'base64');
  if (name === undefined || bytes.length < 5) return undefined;
  return { name, keyId: bytes.subarray(0, 4).toString('hex'), bytes: bytes.subarray(4) };
}

function keyIdOf(name: string, key: Buffer): string {
  return createHash('sha256').update(`${name}\n`).update(Buffer.of(ALGORITHM)).update(key).digest('hex').slice(0, 8);
}

function publicBytes(key: KeyObject): Buffer {
  return key.export({ format: 'der', type: 'spki' }).subarray(SPKI_HEAD.length);
}
