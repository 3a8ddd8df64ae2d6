import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

interface LockedPackage {
  readonly version?: string;
  readonly resolved?: string;
  readonly hasInstallScript?: boolean;
  readonly optionalDependencies?: Record<string, string>;
}

const root = resolve(import.meta.dirname, '../..');
const manifest = JSON.parse(readFileSync(`${root}/package.json`, 'utf8')) as {
  readonly [field: string]: Record<string, string> | undefined;
};
const allowed = manifest['allowScripts'] as unknown as Record<string, boolean>;
const lock = JSON.parse(readFileSync(`${root}/package-lock.json`, 'utf8')) as {
  readonly packages: Record<string, LockedPackage>;
};
const locked = Object.entries(lock.packages).filter(([path]) => path !== '');
const nameOf = (path: string) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);

describe('package.json', () => {
  it.each(['dependencies', 'optionalDependencies', 'devDependencies'])('pins every one of %s exactly', (field) => {
    const loose = Object.entries(manifest[field] ?? {}).filter(
      ([, version]) => !/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version),
    );
    expect(loose).toEqual([]);
  });

  it('says of every package with an install script whether it may run, and of no other', () => {
    const scripted = locked.filter(([, { hasInstallScript }]) => hasInstallScript).map(([path]) => nameOf(path));
    expect(Object.keys(allowed).sort()).toEqual([...new Set(scripted)].sort());
  });
});

describe('package-lock.json', () => {
  it('names no addresses to download from', () => {
    expect(locked.filter(([, { resolved }]) => resolved !== undefined)).toEqual([]);
  });

  it('knows the packages of every platform, so that `npm ci` works on each', () => {
    const names = new Set(locked.map(([path]) => nameOf(path)));
    const missing = locked
      .flatMap(([, { optionalDependencies = {} }]) => Object.keys(optionalDependencies))
      .filter((name) => !names.has(name));
    expect(missing).toEqual([]);
  });

  it('agrees with package.json', () => {
    for (const field of ['dependencies', 'optionalDependencies', 'devDependencies']) {
      for (const [name, version] of Object.entries(manifest[field] ?? {})) {
        expect(lock.packages[`node_modules/${name}`]?.version, name).toBe(version);
      }
    }
  });
});
