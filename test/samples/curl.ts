/**
 * Stands in for `curl` on a machine that has none, as far as the samples' pages use it: `-s -i -N -X -H -d` and a URL.
 * Elsewhere the real one is used.
 */
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    silent: { type: 'boolean', short: 's' },
    include: { type: 'boolean', short: 'i' },
    'no-buffer': { type: 'boolean', short: 'N' },
    request: { type: 'string', short: 'X' },
    header: { type: 'string', short: 'H', multiple: true },
    data: { type: 'string', short: 'd' },
  },
});
const [url = ''] = positionals;
const headers = (values.header ?? []).map((line): [string, string] => {
  const [name = '', ...rest] = line.split(':');
  return [name, rest.join(':').trim()];
});
// A reader that has seen enough, such as `head`, ends curl too.
process.stdout.on('error', () => process.exit(23));

const response = await fetch(url, {
  method: values.request ?? (values.data === undefined ? 'GET' : 'POST'),
  headers,
  body: values.data ?? null,
});
if (values.include) {
  process.stdout.write(`HTTP/1.1 ${response.status} ${response.statusText}\r\n`);
  for (const [name, value] of response.headers) process.stdout.write(`${name}: ${value}\r\n`);
  process.stdout.write('\r\n');
}
for await (const chunk of response.body ?? []) process.stdout.write(chunk);
