/**
 * Which of two representations an `Accept` header asks for: server-sent events or JSON.
 */

const EVENT_STREAM = 'text/event-stream';
const JSON_TYPE = 'application/json';

/** What the header prefers of the two; undefined when it names neither (absent, wildcards, other types). */
export function askedRepresentation(accept: string | null): 'stream' | 'json' | undefined {
  const ranges = (accept ?? '').split(',').map((range) => {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    const quality = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
    return { type, quality: quality === undefined ? 1 : Number(quality) || 0 };
  });
  const named = ranges.filter(({ type, quality }) => (type === EVENT_STREAM || type === JSON_TYPE) && quality > 0);
  const [best] = named.toSorted((one, other) => other.quality - one.quality);
  if (best === undefined) return undefined;
  return best.type === EVENT_STREAM ? 'stream' : 'json';
}
