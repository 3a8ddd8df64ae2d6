import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
const text = readFileSync(`${root}/azure.yaml`, 'utf8');
const agent = text.slice(text.indexOf('  aos-agent-server:'));

describe('azure.yaml', () => {
  it('deploys this folder as a hosted agent from its Dockerfile', () => {
    for (const line of ['host: azure.ai.agent', 'kind: hosted', 'project: .', 'language: docker', 'uses: [foundry]']) {
      expect(agent).toContain(`\n    ${line}\n`);
    }
    expect(text).toContain('\n  foundry:\n    host: azure.ai.project\n');
  });

  it('declares both protocols in the version the platform speaks', () => {
    const declared = [...agent.matchAll(/- protocol: (\S+)\n\s+version: (\S+)/g)].map(
      ([, name, version]) => `${name} ${version}`,
    );
    expect(declared).toEqual(['invocations 2.0.0', 'invocations_ws 2.0.0']);
  });

  it('asks for resources within what a hosted agent may have', () => {
    const [, cpu, memory] = agent.match(/resources: \{ cpu: "([\d.]+)", memory: ([\d.]+)Gi \}/) ?? [];
    expect(Number(cpu)).toBeGreaterThanOrEqual(0.25);
    expect(Number(cpu)).toBeLessThanOrEqual(4);
    expect(Number(memory)).toBeGreaterThanOrEqual(0.5);
    expect(Number(memory)).toBeLessThanOrEqual(8);
  });

  const variables = [...agent.matchAll(/^ {6}([A-Z_]+): (.+)$/gm)].map(([, name = '', value = '']) => ({
    name,
    value,
  }));

  it('declares no variable that belongs to the platform', () => {
    expect(variables.length).toBeGreaterThan(0);
    expect(variables.filter(({ name }) => /^(?:FOUNDRY_|AGENT_|PORT$|HOME$|APPLICATIONINSIGHTS_)/.test(name))).toEqual(
      [],
    );
  });

  it('holds no value itself, only names of the azd environment', () => {
    for (const { name, value } of variables) expect(value).toBe(`\${${name}}`);
  });

  it('passes on only what the container reads', () => {
    const config = readdirSync(`${root}/src/config`).map((file) => readFileSync(`${root}/src/config/${file}`, 'utf8'));
    for (const { name } of variables) expect(config.join('\n')).toContain(`  ${name}:`);
  });
});
