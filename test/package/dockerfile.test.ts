import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { validate } from 'dockerfile-utils';
import { describe, expect, it } from 'vitest';
import { contextFilter } from '../../scripts/image/build.ts';
import { parseDockerfile, type Step } from '../../scripts/image/dockerfile.ts';

const root = resolve(import.meta.dirname, '../..');
const text = readFileSync(`${root}/Dockerfile`, 'utf8');
const stages = parseDockerfile(text);
const steps = stages.at(-1)?.steps ?? [];

function only<Kind extends Step['do']>(kind: Kind): Extract<Step, { do: Kind }> {
  const found = steps.filter((step): step is Extract<Step, { do: Kind }> => step.do === kind);
  expect(found, `the image has one ${kind}`).toHaveLength(1);
  return found[0] as Extract<Step, { do: Kind }>;
}

describe('the Dockerfile', () => {
  it('has nothing a linter objects to', () => {
    const objections = validate(text).map(({ range, message }) => `line ${range.start.line + 1}: ${message}`);
    expect(objections).toEqual([]);
  });

  it('builds on the pinned Node for the platform that Foundry runs, in several stages', () => {
    expect(stages.length).toBeGreaterThan(1);
    for (const { base, platform } of stages) {
      expect({ base, platform }).toEqual({ base: 'node:24-bookworm-slim', platform: 'linux/amd64' });
    }
  });

  it('starts node itself, in exec form, so that SIGTERM reaches it', () => {
    expect(only('cmd').command).toEqual(['node', 'dist/src/main.js']);
  });

  it('runs as a user that is not root, by number, in its HOME', () => {
    expect(only('user').user).toBe('1000:1000');
    expect(only('env').variables).toEqual({ NODE_ENV: 'production', HOME: '/home/session' });
  });

  it('hands the program over before it gives up root, so that the user cannot change it', () => {
    const last = steps.findLastIndex(({ do: kind }) => kind === 'copy' || kind === 'run');
    expect(steps.findIndex(({ do: kind }) => kind === 'user')).toBeGreaterThan(last);
  });

  it('announces the port and asks readiness with what the image has', () => {
    expect(only('expose').port).toBe(8088);
    const [program, , script] = only('healthcheck').command;
    expect(program).toBe('node');
    expect(script).toContain('/readiness');
    expect(script).toContain('process.env.PORT || 8088');
  });

  it('takes its packages from a stage that has only those of production', () => {
    const packages = steps.find(
      (step) => step.do === 'copy' && step.sources.some((source) => source.endsWith('node_modules')),
    );
    const stage = stages.find(({ name }) => packages?.do === 'copy' && name === packages.from);
    expect(stage?.steps.filter((step) => step.do === 'run').map(({ command }) => command)).toEqual([
      'npm ci --omit=dev',
    ]);
  });

  it('copies only what is there and what .dockerignore lets through', () => {
    const seen = contextFilter(root);
    const sources = stages
      .flatMap((stage) => stage.steps)
      .flatMap((step) => (step.do === 'copy' && step.from === undefined ? step.sources : []));
    for (const source of sources) {
      expect(existsSync(`${root}/${source}`), source).toBe(true);
      expect(seen(`${root}/${source}`), source).toBe(true);
    }
  });
});

describe('the build context', () => {
  const seen = contextFilter(root);
  it.each(['src/main.ts', 'src/core/ids.ts', 'agents/registry.json', 'package-lock.json', '.npmrc'])(
    'has %s',
    (path) => {
      expect(seen(`${root}/${path}`)).toBe(true);
    },
  );
  it.each(['node_modules/ws/index.js', '.git/config', 'test/core/ids.test.ts', 'dist/src/main.js', '.env'])(
    'leaves %s out',
    (path) => {
      expect(seen(`${root}/${path}`)).toBe(false);
    },
  );
});

describe('reading a Dockerfile', () => {
  it('gives stages and steps, with continued lines as one', () => {
    expect(parseDockerfile('FROM a:1 AS x\nENV A=1 \\\n    B="two words"\nFROM x\nCOPY --from=x /a /b ./c/\n')).toEqual(
      [
        {
          base: 'a:1',
          platform: undefined,
          name: 'x',
          steps: [{ do: 'env', variables: { A: '1', B: 'two words' }, text: 'ENV A=1 B="two words"' }],
        },
        {
          base: 'x',
          platform: undefined,
          name: undefined,
          steps: [{ do: 'copy', from: 'x', sources: ['/a', '/b'], to: './c/', text: 'COPY --from=x /a /b ./c/' }],
        },
      ],
    );
  });

  it.each([
    ['FROM a\nADD x /x', 'Dockerfile:2'],
    ['FROM a\n\nCMD node main.js', 'Dockerfile:3'],
    ['FROM a\nCOPY --chown=1:1 x /x', 'Dockerfile:2'],
    ['FROM a\nHEALTHCHECK NONE', 'Dockerfile:2'],
    ['RUN true', 'Dockerfile:1'],
  ])('refuses what it would have to leave out: %j', (faulty, where) => {
    expect(() => parseDockerfile(faulty)).toThrow(where);
  });
});
