#!/usr/bin/env node
/** The command `aos` of the package; in a checkout its sources, so that nothing has to be built first. */
import { existsSync } from 'node:fs';

const source = new URL('../src/aos.ts', import.meta.url);
await import(existsSync(source) ? source.href : new URL('../dist/src/aos.js', import.meta.url).href);
