import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { createModel } from '../../src/agents/model-choice.ts';
import { systemClock } from '../../src/core/clock.ts';

const root = resolve(import.meta.dirname, '../..');

/** Packages that a fresh process loads by running `code`. */
async function packagesLoadedBy(code: string): Promise<string[]> {
  const script = `
    import { registerHooks } from 'node:module';
    const seen = new Set();
    registerHooks({ load(url, context, next) {
      const name = /node_modules\\/((?:@[^/]+\\/)?[^/]+)/.exec(url)?.[1];
      if (name !== undefined) seen.add(name);
      return next(url, context);
    } });
    ${code}
    console.log(JSON.stringify([...seen]));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { cwd: root });
  return JSON.parse(stdout) as string[];
}

describe('choosing a model', () => {
  it('loads nothing of any provider before the first call', async () => {
    const loaded = await packagesLoadedBy(`
      const { createModel } = await import('./src/agents/model-choice.ts');
      const { systemClock: clock } = await import('./src/core/clock.ts');
      await import('./src/orchestration/program.ts');
      createModel({ provider: 'azure', endpoint: 'https://x.openai.azure.com', deployment: 'd' }, { clock });
      createModel({ provider: 'openai', apiKey: 'k', model: 'm' }, { clock });`);
    expect(loaded.filter((name) => name === 'ai' || /^@(ai-sdk|azure|opentelemetry\/sdk)/.test(name))).toEqual([]);
  });

  it('gives the simulated model its mark', () => {
    const model = createModel({ provider: 'simulated', firstTokenMs: 0, tokenMs: 0 }, { clock: systemClock });
    expect(model).toMatchObject({ name: 'simulated', provider: 'aos.simulated', simulated: true });
    expect(model.server).toBeUndefined();
  });

  it('names providers as the telemetry conventions do', () => {
    const options = { clock: systemClock };
    const azure = createModel({ provider: 'azure', endpoint: 'https://x.openai.azure.com', deployment: 'd' }, options);
    expect(azure).toMatchObject({
      name: 'd',
      provider: 'azure.ai.openai',
      simulated: false,
      server: { address: 'x.openai.azure.com', port: 443 },
    });
    expect(createModel({ provider: 'openai', apiKey: 'k', model: 'm' }, options)).toMatchObject({
      provider: 'openai',
      server: { address: 'api.openai.com', port: 443 },
    });
  });
});
