/** A tool at work: as it is, or in a simulated run what stands in for it, where it would reach outside. */
import type { JsonValue } from '../core/json.ts';
import type { Tool, ToolContext } from './tool.ts';

/**
 * What reads and changes things of this runtime works as ever; what acts on the world outside is simulated.
 * @throws as `Tool.run`
 */
export function performTool(tool: Tool, input: unknown, context: ToolContext): Promise<JsonValue> {
  if (!context.simulation || tool.effect !== 'external') return tool.run(input, context);
  return tool.simulate?.(input, context) ?? Promise.resolve({ simulated: true, tool: tool.name });
}
