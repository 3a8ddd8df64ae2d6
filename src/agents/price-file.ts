/** The table of prices: the file an operator names, before that which ships with the package. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AosError, asError } from '../core/errors.ts';
import { parseJsonText } from '../core/json-text.ts';
import { type Prices, readPrices } from './price.ts';

/**
 * The prices that hold.
 * @param path the operator's; what it names comes before what ships with the package, which holds for the rest
 * @throws AosError invalid_request when the file cannot be used
 */
export async function loadPrices(path: string | undefined): Promise<Prices> {
  const shipped = await readPriceFile(shippedPrices());
  if (path === undefined) return shipped;
  const own = await readPriceFile(path);
  return { models: { ...shipped.models, ...own.models }, actions: { ...shipped.actions, ...own.actions } };
}

async function readPriceFile(path: string): Promise<Prices> {
  const what = `the table of prices ${path}`;
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (thrown) {
    throw new AosError('invalid_request', `${what} cannot be read`, { cause: asError(thrown) });
  }
  return readPrices(parseJsonText(text, what), what);
}

/** `agents/prices.json` of this package, found upwards so that sources and build output find the same file. */
function shippedPrices(): string {
  for (let folder = import.meta.dirname; folder !== dirname(folder); folder = dirname(folder)) {
    const candidate = join(folder, 'agents', 'prices.json');
    if (existsSync(candidate)) return candidate;
  }
  throw new Error('the prices that ship with this package (agents/prices.json) are missing: install it again');
}
