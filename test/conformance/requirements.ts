/**
 * What the invocations protocol demands of the host, as data: an id, the behaviour in one sentence, and the section of
 * the protocol reference it comes from. `must` was observed upstream, `rec` is our own decision where upstream is
 * silent, contradictory or unsafe. Tests cite ids through `verifies`; `requirements.test.ts` fails on an id that no
 * test cites.
 */
export interface Requirement {
  readonly behaviour: string;
  readonly section: string;
  readonly level: 'must' | 'rec';
}

function must(section: string, behaviour: string): Requirement {
  return { behaviour, section, level: 'must' };
}

function rec(section: string, behaviour: string): Requirement {
  return { behaviour, section, level: 'rec' };
}

export const requirements = {
  // The container and its connections
  'host:bind:all-interfaces': must('§2', 'The server listens on 0.0.0.0.'),
  'host:port:default': must('§2', 'Without PORT the server listens on 8088.'),
  'host:http1-only': must('§2', 'HTTP/2 is not spoken, neither by prior knowledge nor by upgrade.'),
  'host:no-liveness-route': must('§2', 'There is no /liveness route.'),
  'host:no-authentication': must('§2', 'No request needs credentials.'),
  'host:no-request-timeout': must('§2', 'No time limit cuts a slow handler or a slow upload.'),
  'host:no-size-limit': must('§2', 'Request bodies of 1 MiB and more pass unharmed.'),
  'host:no-concurrency-limit': must('§2', 'Requests run concurrently without a limit, a queue or a lock.'),
  'host:header-budget': must('§2', 'Request headers of up to 16 KiB pass.'),
  'host:no-server-header': must('§2', 'The response does not imitate a server header.'),
  'conn:http10': must('§2', 'HTTP/1.0 requests are answered, without chunked framing.'),
  'conn:keep-alive': must('§2', 'A connection serves one request after another, pipelined ones in order.'),
  'conn:expect-continue': must('§2', 'Expect: 100-continue gets its interim response.'),
  'conn:chunked-upload': must('§2', 'A chunked request body arrives whole.'),
  'conn:unread-body': must('§2', 'A request body nobody reads does not harm its response or the next request.'),
  'conn:absolute-form': must('§2', 'An absolute-form request target is understood.'),
  'conn:host-untrusted': rec('§6.7', 'Any Host header, or an empty one, is served and is never more than echoed.'),
  'conn:odd-methods': must('§6.6', 'Unusual methods and request targets are refused in order, not by a crash.'),
  'conn:upgrade-ignored': must('§2', 'An Upgrade header other than a WebSocket one is ignored.'),
  'conn:broken-http': must('§2', 'Broken HTTP ends its own connection and nothing else.'),

  // Environment
  'env:port': must('§2.1', 'PORT is the port to listen on.'),
  'env:port:bad-value': must(
    '§2.1',
    'A PORT that is no integer in 1–65535 fails the start, naming variable and value.',
  ),
  'env:port:argument-wins': must('§2.1', 'An explicit port argument wins over PORT.'),
  'env:port:taken': rec('§2.1', 'A port that is taken fails the start in one clear line.'),
  'env:session-id:default': must('§2.1', 'FOUNDRY_AGENT_SESSION_ID is the session id when the query names none.'),
  'env:session-id:invalid': must('§2.1', 'An invalid FOUNDRY_AGENT_SESSION_ID is no error: each POST gets a new UUID.'),
  'env:sse-keepalive:bad-value': must('§2.1', 'A non-integer SSE_KEEPALIVE_INTERVAL fails the start, named.'),
  'env:sse-keepalive:negative': must('§2.1', 'A negative SSE_KEEPALIVE_INTERVAL means off.'),
  'env:ws-keepalive:bad-value': must(
    '§2.1',
    'A negative, non-finite or non-numeric WS_KEEPALIVE_INTERVAL fails the start.',
  ),
  'env:ws-keepalive:off': must('§2.1', 'WS_KEEPALIVE_INTERVAL 0, empty or unset means no pings.'),
  'env:ws-keepalive:fraction': must('§2.1', 'WS_KEEPALIVE_INTERVAL may be a fraction of a second.'),
  'env:lenient': must('§2.1', 'Variables that never fail the start do not, whatever they hold.'),
  'env:one-clear-line': rec('§2.1', 'A configuration error is one clear line and an exit code other than 0.'),

  // Readiness
  'readiness:answer': must('§2.2', 'GET /readiness answers 200 with exactly {"status":"healthy"} as application/json.'),
  'readiness:headers': must('§2.2', 'Readiness carries the platform headers and no agent ids.'),
  'readiness:head': must('§2.2', 'HEAD /readiness gives the same headers without a body.'),
  'readiness:methods': must('§2.2', 'Other methods on /readiness are 405 with allow GET, HEAD.'),
  'readiness:no-handler': must('§2.2', 'Readiness does not depend on a handler.'),

  // Start-up
  'startup:openapi-flag': must('§2.3', 'One INFO line tells whether an OpenAPI document is configured.'),
  'startup:listening': must('§2.3', 'INFO lines tell host and port before and after listening.'),
  'startup:platform': must('§2.3', 'One INFO line tells the platform environment.'),
  'startup:connectivity': must('§2.3', 'One INFO line tells the endpoints, reduced to scheme://host[:port].'),
  'startup:host-options': must(
    '§2.3',
    'One INFO line tells the shutdown timeout (30 s) and the server version segments.',
  ),
  'startup:placeholders': must(
    '§2.3',
    'Absent text is (not set), zero intervals are disabled, unparseable endpoints (redacted).',
  ),
  'startup:no-secrets': must('§2.3', 'Secrets, paths and query strings of endpoints never appear in the log.'),
  'startup:telemetry-fault': must('§2.3', 'A fault in setting up telemetry is a warning, not fatal.'),

  // Shutdown
  'shutdown:signals': must('§2.4', 'SIGTERM and SIGINT end the process with exit code 0.'),
  'shutdown:drain': must('§2.4', 'Requests and streams in flight at shutdown finish.'),
  'shutdown:listener-closes': must('§2.4', 'New connections are refused during the drain.'),
  'shutdown:keep-alive': rec(
    '§2.4',
    'Open keep-alive connections are answered with connection: close during the drain; idle ones hold nothing up.',
  ),
  'shutdown:timeout': must(
    '§2.4',
    'What is not finished by the shutdown timeout is cut, and the exit code is 0 still.',
  ),
  'shutdown:timeout:zero': must('§2.4', 'A shutdown timeout of 0, or a negative one, skips the drain and the hook.'),
  'shutdown:hook': must('§2.4', 'The shutdown hook runs once, after the drain.'),
  'shutdown:hook:throws': must('§2.4', 'A hook that throws is a WARNING; the process still exits with 0.'),
  'shutdown:hook:overrun': must('§2.4', 'A hook that outlasts the timeout is a WARNING and is left behind.'),
  'shutdown:abort-signal': rec('§10', 'The abort signal of a running handler fires at shutdown.'),
  'shutdown:websocket': rec('§2.4', 'Open WebSockets are closed with 1011 at shutdown, logged as cancelled.'),

  // Log
  'log:stderr': must('§2.5', 'The log goes to standard error.'),
  'log:levels': must('§2.5', 'Levels are DEBUG, INFO, WARNING, ERROR, CRITICAL; INFO by default.'),
  'log:request:start': must('§2.5', 'Each HTTP request has a start line at INFO with method and path, without query.'),
  'log:request:end': must(
    '§2.5',
    'Each HTTP request has a completion line with status and duration in ms to one decimal.',
  ),
  'log:request:end:level': must('§2.5', 'The completion line is WARNING when the status is 400 or more, else INFO.'),
  'log:request:suffix': must(
    '§2.5',
    'Request lines carry x-request-id, x-ms-client-request-id and trace-id in parentheses when present.',
  ),
  'log:request:not-websocket': must('§2.5', 'WebSocket scopes have no request lines.'),
  'log:no-query': must('§2.5', 'No log line shows a query string.'),
  'log:no-forgery': rec('§2.5', 'Nothing in a request can begin a log line of its own.'),
  'log:ids:handler': must('§2.5', 'Records written in a handler carry invocation_id and session_id.'),
  'log:ids:stream': must('§2.5', 'Records written while a stream is produced carry the ids.'),
  'log:ids:outside': must('§2.5', 'Records written outside of an invocation carry empty ids.'),
  'log:ids:get-cancel': must('§2.5', 'Records of GET and cancel carry the ids of the call.'),
  'log:error:not-implemented': must('§2.5', 'A 501 is logged as ERROR "Invocation <id> failed: <msg>".'),
  'log:error:invocation': must(
    '§2.5',
    'A 500 of an invocation is logged as ERROR "Error processing invocation <id>: <msg>".',
  ),
  'log:error:stream': must('§2.5', 'A stream that fails is logged as ERROR "Error processing invocation <id>: <msg>".'),
  'log:error:get-cancel': must(
    '§2.5',
    'A failing GET or cancel is logged as ERROR "Error in get_invocation|cancel_invocation <id>: <msg>".',
  ),
  'log:otel:baggage': must('§2.5', 'Exported log records carry every current baggage entry.'),

  // Routes
  'route:unknown': must('§6.8', 'An unknown path is 404 text/plain Not Found, without error source.'),
  'route:router-headers': must('§5', 'Answers of the router itself carry both platform headers.'),
  'route:double-slash': must('§6.8', 'A doubled slash makes a path unknown.'),
  'route:encoded-slash': must('§4', 'A percent-encoded slash counts as a slash: a%2Fb is not one segment.'),
  'route:dot-segments': must('§4', 'Paths are matched as sent: dot segments and backslashes are not resolved.'),
  'route:bad-encoding': must('§4', 'Percent signs that encode nothing are no error.'),
  'route:docs-is-an-id': must('§4', 'GET /invocations/docs looks up the id docs.'),
  'route:head': must('§4', 'HEAD works wherever GET does, without a body.'),
  'route:method-mismatch': must('§6.6', 'A wrong method is 405 text/plain Method Not Allowed with allow.'),
  'route:no-cors': must('§6.6', 'OPTIONS is 405; there is no CORS handling.'),
  'route:trailing-slash': must('§6.7', 'A trailing slash is 307 to the same URL without it, query kept, host echoed.'),
  'route:trailing-slash:safe': rec(
    '§6.7',
    'The redirect never holds raw control characters and adds nothing to the echoed host.',
  ),
  'route:ws-plain-get': must('§6.8', 'A plain GET on /invocations_ws is 404 Not Found.'),

  // POST /invocations
  'post:any-bytes': must('§6.1', 'The handler gets any bytes of any content type, also none, unread.'),
  'post:ids': must('§6.1', 'Success and error answers carry both id headers, once each.'),
  'post:ids:overwrite': must('§6.1', 'Id headers set by the handler are overwritten.'),
  'post:passthrough': must(
    '§6.1',
    'Status, body and other headers of the handler pass untouched, its 4xx and 5xx too.',
  ),
  'post:no-handler': must(
    '§6.1',
    'Without a handler POST is 501 not_implemented with a message naming the registration.',
  ),
  'post:not-implemented': must('§6.1', 'NotImplementedError is 501 with its text as message.'),
  'post:exception': must('§6.1', 'Any other exception is 500 internal_error and leaks nothing.'),
  'post:malformed-json': must('§6.1', 'JSON the handler cannot parse is 500, not 400.'),
  'post:platform-error': must('§6.1', 'A tagged exception is 500 with error source platform and a detail header.'),
  'post:not-a-response': rec('§6.1', 'A handler that returns nothing is 500 internal_error.'),

  // GET and cancel
  'get:no-handler': must('§6.2', 'GET without a handler is 404 not_found, get_invocation not implemented.'),
  'get:handler': must('§6.2', 'GET reaches the handler with the decoded path id.'),
  'get:exception': must('§6.2', 'An exception in GET is 500, NotImplementedError too; tagged ones are platform.'),
  'get:headers': must('§6.2', 'x-agent-invocation-id is on every GET answer, x-agent-session-id on none.'),
  'cancel:no-handler': must('§6.3', 'Cancel without a handler is 404 not_found, cancel_invocation not implemented.'),
  'cancel:handler': must('§6.3', 'Cancel reaches the handler with the decoded path id.'),
  'cancel:exception': must('§6.3', 'An exception in cancel is 500, NotImplementedError too; tagged ones are platform.'),
  'cancel:headers': must('§6.3', 'x-agent-invocation-id is on every cancel answer, x-agent-session-id on none.'),
  'cancel:no-registry': must('§6.3', 'Cancel calls the handler and nothing else: no abort, no deduplication.'),

  // Headers
  'header:request-id:trace': must('§7', 'x-request-id is the trace id of the incoming trace context first.'),
  'header:request-id:loose-traceparent': must(
    '§7',
    'A traceparent with 4 fields and a 32-character second one not all zeros gives that field.',
  ),
  'header:request-id:echo': must('§7', 'Else x-request-id is the incoming one, verbatim.'),
  'header:request-id:generated': must('§7', 'Else x-request-id is a new UUID of 32 hex digits without hyphens.'),
  'header:request-id:unsafe': rec('§7', 'An incoming x-request-id that is unsafe or longer than 256 is replaced.'),
  'header:platform-server': must(
    '§7',
    'Every answer has x-platform-server: distinct name/version (runtime/major.minor) segments.',
  ),
  'header:error-source': must(
    '§7',
    'Protocol errors carry x-platform-error-source; successes, handler answers and the router do not.',
  ),
  'header:error-detail': must('§7', 'x-platform-error-detail is type and message, with platform errors only.'),
  'header:error-detail:limit': must(
    '§7',
    'x-platform-error-detail is at most 2048 characters, the end of a longer one being ...[truncated].',
  ),
  'header:error-detail:safe': rec(
    '§7',
    'Control characters in the detail become blanks, others above 0xFF question marks, before truncation.',
  ),
  'header:repeated': must('§7', 'Of a repeated request header the first value counts.'),
  'header:trimmed': must('§7', 'Blanks around header values are dropped; names are case-insensitive.'),
  'header:client': must('§7', 'x-client-* headers are visible to the handler.'),
  'query:repeated': must('§7', 'Of a repeated query parameter the last value counts, an empty one too.'),
  'query:decoding': must('§7', '+ is a blank, %2B a plus, and blank values are kept.'),

  // Ids
  'id:rule': must('§8', 'An id is 1–256 characters of A-Z a-z 0-9 - _ . : and nothing else.'),
  'id:invocation:header': must('§8', 'A valid x-agent-invocation-id is taken on POST.'),
  'id:invocation:replaced': must(
    '§8',
    'A missing or invalid x-agent-invocation-id is replaced by a UUID v4, never rejected.',
  ),
  'id:session:query': must('§8', 'agent_session_id in the query is the session id of a POST.'),
  'id:session:replaced': must('§8', 'An invalid agent_session_id goes straight to a UUID, not to the environment.'),
  'id:session:header-ignored': must('§7', 'x-agent-session-id as a request header is ignored.'),
  'id:newline': rec('D8', 'An id that ends in a line feed is invalid.'),
  'id:path:invalid': rec('D3', 'An invalid path id is replaced by a UUID in the header and for the handler.'),
  'id:path:session': rec('D4', 'The session of GET and cancel is query, environment, or empty; never generated.'),

  // Error model
  'error:body': must('§9', 'Errors are {"error":{"code","message"}}, compact, application/json without charset.'),

  // Request identity
  'identity:current-call': must(
    '§12',
    'User id and call id are in the request-scoped context of POST, GET and cancel.',
  ),
  'identity:stream': must('§12', 'User id and call id stay bound while a stream is written.'),
  'identity:absent': must('§12', 'Absent identity headers are empty strings and never an error.'),
  'identity:isolation-keys': rec('D6', 'The isolation keys of protocol 1.0.0 are exposed beside the 2.0.0 pair.'),
  'identity:apart': must('§12', 'Overlapping requests keep their identity and ids apart.'),

  // Client disconnect
  'disconnect:signal': rec('§10', 'The abort signal fires when the client leaves.'),
  'disconnect:not-cancelled': must('§10', 'A handler that ignores the signal runs on when the client leaves.'),
  'disconnect:stream': must('§10', 'A stream is stopped and its source closed when the client leaves.'),
  'disconnect:quiet': rec('§10', 'A plain disconnect logs nothing at ERROR.'),

  // Streaming
  'stream:as-produced': must('§11', 'Chunks are written as produced, unbuffered, in chunked transfer.'),
  'stream:headers-first': must('§11', 'Both id headers are there before the first byte of a stream.'),
  'stream:empty': must('§11', 'An empty stream is 200 with an empty body.'),
  'stream:no-added-headers': must('§11', 'Nothing is added to a stream: no cache-control, no framing of its own.'),
  'stream:back-pressure': must('§11', 'The source is pulled as the client reads, one item at a time.'),
  'stream:error': must('§11', 'A source that fails cuts the chunked body without the final chunk; sent bytes stand.'),
  'stream:get-cancel': must('§11', 'GET and cancel may stream as well.'),

  // SSE keep-alive
  'sse:comment': must(
    '§11',
    'After each interval of silence exactly ": keep-alive" and two line feeds are sent, before the first chunk too.',
  ),
  'sse:restart': must('§11', 'Every chunk restarts the interval.'),
  'sse:off': must('§11', 'There are no comments when the interval is 0 or unset.'),
  'sse:post-only': must('§11', 'Comments are sent on POST /invocations only.'),
  'sse:content-type': must('§11', 'The final content-type decides, in both directions; other streams get no comments.'),
  'sse:whole-events': rec('§11', 'No comment is put inside an unfinished event.'),
  'sse:back-pressure': must('§11', 'With keep-alive on, one item is produced ahead of the consumer, no more.'),
  'sse:errors': must(
    '§11',
    'With keep-alive on, source errors still cut the stream and the source is closed when the client leaves.',
  ),

  // WebSocket
  'ws:no-handler': rec('D2', 'An upgrade without a handler is 404.'),
  'ws:registered-twice': must('§13.1', 'Of two handlers the last wins, with a WARNING naming both.'),
  'ws:accept-first': must(
    '§13.1',
    'The upgrade is accepted before the handler does anything; no subprotocol, origin check or authentication.',
  ),
  'ws:wrong-path': rec('§13.1', 'An upgrade elsewhere, or with a trailing slash, is 404.'),
  'ws:handshake-headers': rec(
    '§13.1',
    'The 101 carries x-platform-server and x-agent-session-id, and no invocation id.',
  ),
  'ws:bad-handshake': rec('§13.1', 'A broken handshake is refused with a 4xx and hangs nothing.'),
  'ws:session-id': must('§8', "The session id is the environment's or a new UUID; the query is not consulted."),
  'ws:messages': must('§13.2', 'Text and binary messages of any content pass unchanged and in order.'),
  'ws:early-messages': must('§13.2', 'Messages that come before the handler reads are kept.'),
  'ws:fragments': must('§13.2', 'Fragmented messages with control frames between arrive whole.'),
  'ws:with-http': must('§13.2', 'HTTP and WebSocket work at once on one port.'),
  'ws:too-big': rec('§13.2', 'A message over 16 MiB is closed with 1009; one of 16 MiB passes.'),
  'ws:protocol-errors': rec('§13.2', 'Broken frames are closed with 1002, invalid UTF-8 with 1007.'),
  'ws:back-pressure': rec('§13.2', 'A peer that does not read stops the sender instead of growing memory.'),
  'ws:ping': must('§13.3', 'Pings are sent every WS_KEEPALIVE_INTERVAL seconds, whatever the handler does.'),
  'ws:pong': must('§13.3', 'A client ping is answered at once with its payload; a client that sends no pong stays.'),
  'ws:close:returns': must('§13.4', 'A handler that returns closes with 1000 and an empty reason.'),
  'ws:close:throws': must(
    '§13.4',
    'A handler that throws closes with 1011 Internal server error, logged as internal_error.',
  ),
  'ws:close:own': must('§13.4', "A handler's own close code is sent, once, and logged."),
  'ws:close:own-then-throws': rec(
    '§13.4',
    'A throw after an own close logs that code with internal_error and sends no second frame.',
  ),
  'ws:close:client': must('§13.4', "A client's close code is logged, 1000 when it gave none, and is no error."),
  'ws:close:lost': rec('§13.4', 'A connection lost without a close frame is logged as 1006.'),
  'ws:close-record': must(
    '§13.5',
    'Exactly one INFO record per connection tells session, code and duration, as text and as fields.',
  ),
  'ws:close-record:no-leak': must(
    '§13.5',
    'The exception text is in an ERROR record of its own with the stack, not in the close record.',
  ),

  // Tracing
  'trace:context': must(
    '§14.1',
    "The caller's trace context is current in the handler; with spans off it is the direct parent.",
  ),
  'trace:context:stream': must('§14.1', "The caller's trace context is current while a stream is produced."),
  'trace:context:no-exporter': must('§14.1', 'Trace context and baggage are current without any exporter.'),
  'trace:baggage': must('§14.1', 'Incoming baggage is kept and invocation and session id are added.'),
  'trace:baggage:request-id': must('§14.1', 'x-request-id is added as baggage x_request_id.'),
  'trace:malformed': must('§14.1', 'Empty or malformed traceparent and baggage never fail a request.'),
  'trace:span': must(
    '§14.2',
    "Each invocation has a SERVER span invoke_agent <name>:<version> under the caller's span.",
  ),
  'trace:span:name': must(
    '§14.2',
    'The span name leaves out what is not set, and names get_invocation and cancel_invocation.',
  ),
  'trace:span:attributes': must('§14.2', 'The span has every prescribed attribute.'),
  'trace:span:error': must(
    '§14.2',
    'A failure gives status ERROR, error.type, the two error tags and an exception event.',
  ),
  'trace:span:stream': must('§14.2', 'The span of a stream ends with the stream and is current in its source.'),
  'trace:span:stream-error': must('§14.2', 'A failing stream marks its span as failed.'),
  'trace:span:switch': rec(
    'D1',
    'Spans are on when an exporter is configured; AGENTSERVER_SPANS=off and the option turn them off.',
  ),
  'trace:enrichment:start': must('§14.3', 'Every span gets project id, session id and conversation id from the start.'),
  'trace:enrichment:end': must(
    '§14.3',
    'Agent name, version, id, blueprint and tenant override what frameworks wrote.',
  ),
  'trace:resource': must('§14.3', 'The resource is named after the agent; OTEL_SERVICE_NAME has no effect.'),
  'trace:otlp': must(
    '§14.4',
    'OTLP export is on when an endpoint is set, per signal too, with its headers and protocol.',
  ),
  'trace:azure-monitor': must(
    '§14.4',
    'Azure Monitor export is on when its connection string is set, beside OTLP if both are.',
  ),
  'trace:sampler': must('§2.1', 'OTEL_TRACES_SAMPLER is honoured.'),
  'trace:no-exporter': must('§14.4', 'Without an exporter requests are unaffected.'),
  'trace:dead-collector': must(
    '§14.4',
    'A collector that is dead or silent does not slow requests or hold up the end.',
  ),
  'trace:flush': must('§14.4', 'Telemetry is flushed at the end of the request or stream and at shutdown.'),
  'trace:ws-context': must('§13.1', "The caller's trace context is current in the WebSocket handler."),
  'trace:ws-span': must(
    '§13.6',
    "Each connection has a websocket_session span with the close fields, parent of the handler's spans.",
  ),

  // Documents
  'docs:openapi': must(
    '§15',
    'The OpenAPI object is served as compact JSON, characters unescaped, without agent headers.',
  ),
  'docs:openapi:absent': must(
    '§15',
    'Without a document openapi.json is 404 not_found No OpenAPI spec registered, upstream.',
  ),
  'docs:asyncapi': must('§15', 'asyncapi.json and asyncapi.yaml are served, the YAML byte for byte, each on its own.'),
  'docs:asyncapi:absent': must('§15', 'An AsyncAPI document not given is 404.'),
} as const satisfies Record<string, Requirement>;

export type RequirementId = keyof typeof requirements;
