import { describe, expect, it } from 'vitest';
import { checkDependencies, checkDependencyNotes } from './dependency-rules.ts';
import { importing } from './made-up-source.ts';

describe('dependencies', () => {
  const declared = {
    dependencies: ['pg', '@scope/kit'],
    optionalDependencies: ['@bin/linux', '@bin/mac'],
    devDependencies: ['vitest', '@types/pg', 'lint'],
  };
  const users = [
    importing('src/store/database.ts', 'pg'),
    importing('src/store/kit.ts', '@scope/kit/part'),
    importing('src/store/launch.ts', '@bin/', { literal: false, how: 'dynamic' }),
    importing('test/store/database.test.ts', 'vitest'),
    importing('samples/hello.ts', 'aos-agent-server'),
  ];

  it('that are used, or whose use is named, are fine', () => {
    expect(checkDependencies(declared, users, { lint: 'npm run lint' })).toEqual([]);
  });

  it('that nothing uses are found, and a test does not make one ship', () => {
    const findings = checkDependencies(declared, [importing('test/a.test.ts', 'pg')], {});
    expect(findings.map(({ where }) => where.replace('package.json: ', ''))).toEqual([
      'pg',
      '@scope/kit',
      '@bin/linux',
      '@bin/mac',
      'vitest',
      'lint',
    ]);
  });

  it('that are used and not declared are found; src may not lean on a dev dependency', () => {
    const strays = [
      importing('src/a.ts', 'vitest'),
      importing('test/a.test.ts', 'left-pad'),
      importing('src/b.ts', 'node:fs'),
    ];
    const findings = checkDependencies(declared, [...users, ...strays], { lint: '' });
    expect(findings.map(({ where }) => where)).toEqual([
      'src/a.ts:1 imports vitest',
      'test/a.test.ts:1 imports left-pad',
    ]);
  });

  it('have one note each, a family may share one, and none is stale', () => {
    const note = (name: string) => `| \`${name}\` | because |`;
    const notes = ['pg', '@scope/kit', '@bin/*', 'vitest', '@types/pg', 'lint'].map(note);
    expect(checkDependencyNotes(declared, notes.join('\n'))).toEqual([]);
    const wrong = [...notes.filter((line) => !line.includes('vitest')), note('gone'), note('pg')];
    expect(checkDependencyNotes(declared, wrong.join('\n')).map(({ where }) => where)).toEqual([
      'docs/dependencies.md: pg',
      'docs/dependencies.md: vitest',
      'docs/dependencies.md: gone',
    ]);
  });
});
