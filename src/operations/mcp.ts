/**
 * The MCP servers that agents may use, as clients ask for them. None can be configured yet, and nothing here pretends:
 * a server that is not there is *not found*, never healthy.
 */
import { z } from 'zod';
import { AosError } from '../core/errors.ts';
import { freeForm, givenName, time } from './field.ts';
import { type Operation, realize, specify } from './operation.ts';

const server = z.object({ name: z.string(), status: z.string(), tools: z.array(z.string()), metadata: freeForm });

export const listMcpServers = specify({
  name: 'mcp.servers',
  summary: 'The MCP servers that are configured',
  input: z.object({}),
  output: z.object({ servers: z.array(server) }),
  rest: { method: 'GET', path: '/api/mcp/servers', status: 200, family: 'flat' },
  example: { output: { servers: [] } },
});

export const getMcpServerStatus = specify({
  name: 'mcp.status',
  summary: 'Whether an MCP server answers',
  input: z.object({ server: givenName }),
  output: z.object({ name: z.string(), status: z.string(), healthy: z.boolean(), last_checked: time }),
  rest: { method: 'GET', path: '/api/mcp/servers/{server}/status', status: 200, family: 'flat' },
  errors: ['not_found'],
});

export const callMcpTool = specify({
  name: 'mcp.call',
  summary: 'Call a tool of an MCP server',
  input: z.looseObject({ server: givenName, tool: givenName }),
  output: freeForm,
  rest: { method: 'POST', path: '/api/mcp/servers/{server}/tools/{tool}', status: 200, family: 'flat' },
  errors: ['not_found'],
});

export const mcpSpecs = [listMcpServers, getMcpServerStatus, callMcpTool];

export function createMcpOperations(): readonly Operation[] {
  const missing = (name: string): never => {
    throw new AosError('not_found', `MCP server '${name}' not configured`, { reason: 'MCP_SERVER_NOT_FOUND' });
  };
  return [
    realize(listMcpServers, async () => ({ servers: [] })),
    realize(getMcpServerStatus, async ({ server: name }) => missing(name)),
    realize(callMcpTool, async ({ server: name }) => missing(name)),
  ];
}
