import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { whyNotHere } from '../../scripts/image/base-tree.ts';

const root = resolve(import.meta.dirname, '../..');
const UNAVAILABLE = 69;

// A minute or two of building: CI pays for it, a developer asks for it with `npm run prove-image`.
const reason = process.env['CI'] === undefined ? 'runs in CI and by `npm run prove-image`' : whyNotHere();

it.skipIf(reason !== undefined)(
  `the image builds, starts, answers and stops as the Dockerfile says${reason === undefined ? '' : ` (skipped: ${reason})`}`,
  async ({ skip }) => {
    const proof = await promisify(execFile)(process.execPath, [`${root}/scripts/prove-image.ts`]).then(
      ({ stdout }) => ({ code: 0, stdout }),
      (failure: { code?: number; stdout: string }) => ({ code: failure.code, stdout: failure.stdout }),
    );
    const lines = proof.stdout.trimEnd().split('\n');
    if (proof.code === UNAVAILABLE) skip(lines.at(-1));
    expect(proof.code, lines.slice(-40).join('\n')).toBe(0);
  },
  480_000,
);
