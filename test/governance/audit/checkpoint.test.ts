import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  createCheckpointSigner,
  judgeSignature,
  originOf,
  readCheckpoint,
  readVerifierKey,
} from '../../../src/governance/audit/checkpoint.ts';
import { leafHash } from '../../../src/governance/audit/merkle.ts';

/** An Ed25519 key as PEM from its 32 bytes. */
function pemOf(seed: string): string {
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.from(seed, 'hex')]);
  return `-----BEGIN PRIVATE KEY-----\n${der.toString('base64')}\n-----END PRIVATE KEY-----\n`;
}

/** The first key of the test vectors of RFC 8032. */
const SEED = '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60';
const signer = createCheckpointSigner({ key: pemOf(SEED), name: 'aos.example' });
const checkpoint = { origin: originOf('acme'), size: 4211, root: leafHash('root') };

describe('a checkpoint', () => {
  it('is a signed note: origin, size and root, an empty line, a signature', () => {
    const note = signer.sign(checkpoint);
    const lines = note.split('\n');
    expect(lines.slice(0, 4)).toEqual([
      'aos-agent-server/audit/acme',
      '4211',
      Buffer.from(checkpoint.root, 'hex').toString('base64'),
      '',
    ]);
    expect(lines[4]).toMatch(/^— aos\.example [A-Za-z0-9+/]+=*$/);
    expect(lines.slice(5)).toEqual(['']);
    expect(signer.verifierKey).toMatch(/^aos\.example\+[0-9a-f]{8}\+A/);
  });

  it('is read back, and its signature is good for its own key only', () => {
    const read = readCheckpoint(signer.sign(checkpoint));
    expect(read).toMatchObject(checkpoint);
    expect(judgeSignature(read, readVerifierKey(signer.verifierKey))).toBe('good');
    const { privateKey } = generateKeyPairSync('ed25519');
    const pem = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
    const other = createCheckpointSigner({ key: pem, name: 'aos.example' });
    expect(judgeSignature(read, readVerifierKey(other.verifierKey))).toBe('foreign');
    const forged = readCheckpoint(signer.sign(checkpoint).replace('\n4211\n', '\n4210\n'));
    expect(judgeSignature(forged, readVerifierKey(signer.verifierKey))).toBe('forged');
  });

  it.each([
    '',
    'text',
    'origin\n1\nAAAA\n\n— n AAAA\n',
    'origin\n01\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n— n AAAAAAAA\n',
  ])('is not %j', (note) => {
    expect(() => readCheckpoint(note)).toThrow('no checkpoint');
  });

  it('names its tenant without blanks and line breaks', () => {
    expect(originOf('a b\nc')).toBe('aos-agent-server/audit/a%20b%0Ac');
  });

  it('is not signed with a key of another kind, nor under a name that is none', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const pem = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
    expect(() => createCheckpointSigner({ key: pem, name: 'n' })).toThrow('Ed25519');
    expect(() => createCheckpointSigner({ key: pemOf(SEED), name: 'a b' })).toThrow('no blanks');
    expect(() => readVerifierKey(signer.verifierKey.replace('aos', 'oas'))).toThrow('damaged');
    expect(() => readVerifierKey('key')).toThrow('the key is none');
  });
});
