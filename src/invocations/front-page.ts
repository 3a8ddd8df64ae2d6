/**
 * What somebody sees who opens the container's address: what this is, where things are, one call to try. As HTML for
 * browsers, JSON for programs that ask for it, text for everybody else.
 */
import type { JsonObject } from '../core/json.ts';
import { HOST_VERSION } from '../host/server-identity.ts';

export interface FrontPage {
  /** What people call the model in use. */
  readonly model: string;
  readonly simulated: boolean;
  /** Said where everything outside is simulated. */
  readonly simulation?: string;
  readonly agents: readonly { readonly id: string; readonly title: string }[];
}

/** A body that shows what the server is for; works with the agents that ship with the package. */
export const EXAMPLE_BODY = {
  agent_ids: ['ceo', 'cfo', 'cmo'],
  workflow: 'collaborative',
  task: {
    type: 'strategic_review',
    data: {
      quarter: 'Q1-2026',
      revenue: 4_200_000,
      target_revenue: 4_500_000,
      costs: 3_900_000,
      cash: 2_600_000,
      churn: 0.031,
    },
  },
};

/** The example as a command line for `base`, e.g. `http://localhost:8088`. */
export function exampleCurl(base: string, agents: FrontPage['agents']): string {
  const known = EXAMPLE_BODY.agent_ids.every((id) => agents.some((agent) => agent.id === id));
  const body = known ? EXAMPLE_BODY : { ...EXAMPLE_BODY, agent_ids: agents.slice(0, 3).map((agent) => agent.id) };
  return `curl -N ${base}/invocations -H 'Accept: text/event-stream' -d '${JSON.stringify(body)}'`;
}

const ADDRESSES = [
  ['POST /invocations', 'start an orchestration or a chat turn'],
  ['GET /invocations/{id}', 'read a run; with Accept: text/event-stream replay and follow it'],
  ['POST /invocations/{id}/cancel', 'end a run'],
  ['WS /invocations_ws', 'the same over one WebSocket'],
  ['GET /openapi.json', 'all of this, described'],
  ['GET /readiness', 'whether requests are taken'],
] as const;

const WHAT = 'Durable multi-agent runs behind the invocations protocol of Azure AI Foundry hosted agents.';

export function viewJson(page: FrontPage, base: string): JsonObject {
  return {
    name: 'aos-agent-server',
    version: HOST_VERSION,
    description: WHAT,
    model: page.model,
    simulated: page.simulated,
    simulation: page.simulation !== undefined,
    agents: page.agents.map(({ id }) => id),
    addresses: Object.fromEntries(ADDRESSES),
    example: { method: 'POST', url: `${base}/invocations`, body: EXAMPLE_BODY },
  };
}

export function viewText(page: FrontPage, base: string): string {
  const width = Math.max(...ADDRESSES.map(([address]) => address.length));
  return [
    `aos-agent-server ${HOST_VERSION}`,
    WHAT,
    '',
    ...ADDRESSES.map(([address, what]) => `  ${address.padEnd(width)}  ${what}`),
    '',
    `Model:  ${modelLine(page)}`,
    `Agents: ${page.agents.map(({ id }) => id).join(', ')}`,
    '',
    'Try:',
    `  ${exampleCurl(base, page.agents)}`,
    '',
  ].join('\n');
}

function modelLine({ model, simulated, simulation }: FrontPage): string {
  if (simulation !== undefined) return `SIMULATION: everything outside is simulated and nothing leaves (${simulation})`;
  return simulated ? 'SIMULATED: answers are computed offline by rules, no model is called' : model;
}

/** What a container says on standard output once it takes requests: a page for eyes, or one line. */
export function viewBanner(
  page: FrontPage,
  place: { base: string; data: string; access: string; forEyes: boolean },
): string {
  const { base, data, access, forEyes } = place;
  const title = `aos-agent-server ${HOST_VERSION}`;
  const curl = exampleCurl(base, page.agents);
  if (!forEyes) {
    return `${title} takes requests at ${base} | access: ${access} | model: ${modelLine(page)} | data: ${data} | try: ${curl}\n`;
  }
  const agents = page.agents.map(({ id }) => id).join(', ');
  return [
    '',
    `  ${title}`,
    '',
    `  address  ${base}`,
    `  access   ${access}`,
    `  model    ${modelLine(page)}`,
    ...(page.simulated && page.simulation === undefined
      ? ['           set OPENAI_API_KEY or AZURE_OPENAI_ENDPOINT to use a real one']
      : []),
    `  agents   ${agents}`,
    `  data     ${data}`,
    '',
    '  Try it in another terminal:',
    '',
    `  ${curl}`,
    '',
    '  Ctrl-C stops; runs that have not ended go on at the next start.',
    '',
    '',
  ].join('\n');
}

export function viewHtml(page: FrontPage, base: string): string {
  const rows = ADDRESSES.map(([address, what]) => {
    const path = address.startsWith('GET ') && !address.includes('{') ? address.slice(4) : undefined;
    const shown = path === undefined ? escapeHtml(address) : `<a href="${path}">${escapeHtml(address)}</a>`;
    return `<tr><td><code>${shown}</code></td><td>${escapeHtml(what)}</td></tr>`;
  });
  const agents = page.agents.map(
    ({ id, title }) => `<span class="agent" title="${escapeHtml(title)}">${escapeHtml(id)}</span>`,
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>aos-agent-server</title>
<style>
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 16%, transparent); }
body { font: 16px/1.6 system-ui, sans-serif; max-width: 46rem; margin: 12vh auto 4rem; padding: 0 1.5rem; }
h1 { font-size: 1.7rem; margin: 0; } h1 small { font-weight: 400; opacity: .55; font-size: 1rem; }
h2 { font-size: .85rem; text-transform: uppercase; letter-spacing: .08em; opacity: .6; margin: 2.2rem 0 .4rem; }
table { border-collapse: collapse; width: 100%; } td { padding: .4rem 1rem .4rem 0; border-top: 1px solid var(--line); vertical-align: top; }
code, pre { font: .875rem/1.6 ui-monospace, monospace; } pre { border: 1px solid var(--line); border-radius: .5rem; padding: 1rem; white-space: pre-wrap; overflow-wrap: anywhere; }
.agent { display: inline-block; border: 1px solid var(--line); border-radius: 1rem; padding: .05rem .8rem; margin: 0 .4rem .4rem 0; }
.simulated { background: #b4530922; border-left: 3px solid #b45309; padding: .5rem 1rem; }
</style>
</head>
<body>
<h1>aos-agent-server <small>${HOST_VERSION}</small></h1>
<p>${escapeHtml(WHAT)}</p>
<p${page.simulated ? ' class="simulated"' : ''}>Model: ${escapeHtml(modelLine(page))}</p>
<h2>Agents</h2>
<p>${agents.join('')}</p>
<h2>Try</h2>
<pre>${escapeHtml(exampleCurl(base, page.agents))}</pre>
<h2>Addresses</h2>
<table>${rows.join('')}</table>
</body>
</html>
`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
