#!/usr/bin/env node
/** The command `aos` of the package; in a checkout its sources, so that nothing has to be built first. */
import { existsSync } from 'node:fs';

const { node } = process.versions;
if (Number(node.split('.')[0]) < 24) {
  process.stderr.write(
    `aos needs Node 24 or newer, and this is Node ${node}. In a checkout, "npx aos" takes the one that npm has installed there.\n`,
  );
  process.exit(2);
}

const source = new URL('../src/aos.ts', import.meta.url);
await import(existsSync(source) ? source.href : new URL('../dist/src/aos.js', import.meta.url).href);
