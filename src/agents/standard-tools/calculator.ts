import { z } from 'zod';
import type { Tool } from '../tool.ts';
import { evaluate } from './expression.ts';

const input = z.object({
  expression: z
    .string()
    .min(1)
    .describe(
      'For example (1200 - 950) / 950 * 100. Operators + - * / % ^, parentheses, functions such as sqrt, round.',
    ),
});

/** Figures of a result that binary fractions get right; what lies behind them is noise. */
const SIGNIFICANT = 15;

/** Computes one expression. @throws AosError invalid_request where it is faulty */
export const calculator: Tool<z.output<typeof input>> = {
  name: 'calculator',
  version: '1',
  description: 'Computes an arithmetic expression exactly. Use it for every computation instead of computing yourself.',
  input,
  effect: 'read',
  timeoutMs: 1000,
  async run({ expression }) {
    return { expression, result: Number(evaluate(expression).toPrecision(SIGNIFICANT)) };
  },
};
