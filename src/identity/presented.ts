/** What a call says about who is asking, before anybody believes it. */

export interface Presented {
  readonly headers: Pick<Headers, 'get'>;
  /** `x-agent-user-id`, the first when it came more than once. */
  readonly userId: string;
  /** A token in the query (`access_token`, `token`): only of calls that browsers cannot give headers. */
  readonly queryToken?: string | undefined;
  /** The other end of the connection; '' when unknown. */
  readonly address: string;
}

/** Of a query that may carry a token, the token. */
export function queryTokenOf(query: URLSearchParams): string | undefined {
  return query.get('access_token') ?? query.get('token') ?? undefined;
}

/**
 * The bearer token: of `Authorization`, else of `x-client-authorization` (the platform's gateway passes it on, and never
 * `Authorization`), else of the query. Undefined when there is none.
 */
export function bearerOf({ headers, queryToken }: Presented): string | undefined {
  for (const name of ['authorization', 'x-client-authorization']) {
    const [, token] = /^bearer +(\S+)$/i.exec(headers.get(name)?.trim() ?? '') ?? [];
    if (token !== undefined) return token;
  }
  return queryToken === '' ? undefined : queryToken;
}

/** The API key: of `x-api-key`, of `x-client-api-key` (which passes the gateway), or in place of a bearer token. */
export function apiKeyOf(presented: Presented): string | undefined {
  const { headers } = presented;
  return headers.get('x-api-key')?.trim() || headers.get('x-client-api-key')?.trim() || bearerOf(presented);
}
