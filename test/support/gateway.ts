/**
 * A real nginx in front of a test's upstream, which asks for keys, counts, and speaks of itself as Kong or as Apigee does.
 * What such a gateway does with connections, bodies, limits and dead upstreams is nginx's own; the words are theirs.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, missingPrograms } from './program.ts';

export type GatewayManner = 'kong' | 'apigee';

export interface Gateway {
  readonly url: string;
  /** Whether it has an upstream at all; without one it answers by itself. */
  hasTarget(has: boolean): Promise<void>;
  close(): Promise<void>;
}

const MODULES = '/usr/lib/nginx/modules';
/** Bodies that are longer are not taken. */
export const MAX_BODY_BYTES = 64 * 1024;
/** How long it waits for the upstream. */
export const UPSTREAM_TIMEOUT_MS = 300;

/** What a skipped test says; undefined when a gateway can be had. */
export function missingForGateway(): string | undefined {
  const missing = missingPrograms('nginx');
  if (missing !== undefined) return missing;
  return existsSync(`${MODULES}/ngx_http_lua_module.so`) ? undefined : 'skipped: needs libnginx-mod-http-lua';
}

export interface GatewayOptions {
  readonly manner: GatewayManner;
  /** Of the upstream, on this machine. */
  readonly upstream: string;
  /** The consumers by their keys. */
  readonly keys: Readonly<Record<string, string>>;
  /** The consumer that may come once a minute. */
  readonly rare?: string;
}

export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const folder = await mkdtemp(join(tmpdir(), 'aos-nginx-'));
  for (const name of ['body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']) await mkdir(join(folder, name));
  const port = await freePort();
  const closed = join(folder, 'no-target');
  const file = join(folder, 'nginx.conf');
  await writeFile(file, configuration(options, folder, port, closed));
  const child = spawn('nginx', ['-p', folder, '-e', join(folder, 'error.log'), '-c', file], { stdio: 'ignore' });
  while (!(await answers(port))) {
    if (child.exitCode !== null) throw new Error(`nginx ended with ${child.exitCode}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return {
    url: `http://127.0.0.1:${port}`,
    hasTarget: (has) => (has ? rm(closed, { force: true }) : writeFile(closed, '')),
    async close() {
      await stop(child);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'close');
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

function configuration(
  { manner, upstream, keys, rare = '' }: GatewayOptions,
  folder: string,
  port: number,
  closed: string,
) {
  const consumers = Object.entries(keys).map(([key, name]) => `"${key}" "${name}";`);
  const { header, lua, places } = words[manner];
  return `
load_module ${MODULES}/ndk_http_module.so;
load_module ${MODULES}/ngx_http_lua_module.so;
# One process: it is its own master, and ends with whoever started it.
daemon off; master_process off; pid ${folder}/pid; error_log ${folder}/error.log warn;
events { worker_connections 128; }
http {
  access_log off; default_type application/json;
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
  client_max_body_size ${MAX_BODY_BYTES};
  map $http_${header.replace('-', '_')} $consumer { default ""; ${consumers.join(' ')} }
  map $consumer $counted { default ""; "${rare || 'nobody'}" $consumer; }
  limit_req_zone $counted zone=rare:1m rate=1r/m;
  limit_req_status 429;
  upstream target { server ${new URL(upstream).host} max_fails=0; keepalive 4; }
  server {
    listen 127.0.0.1:${port};
    ${lua.answered}
    location / {
      set $closed "${closed}";
      access_by_lua_block { ${lua.access} }
      limit_req zone=rare;
      error_page 429 = @limited; error_page 502 = @unreachable; error_page 504 = @late;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header ${header} "";
      proxy_set_header X-Consumer-Username $consumer;
      proxy_connect_timeout ${UPSTREAM_TIMEOUT_MS}ms;
      proxy_read_timeout ${UPSTREAM_TIMEOUT_MS}ms;
      # A request goes to the upstream once.
      proxy_next_upstream off;
      proxy_pass http://target;
    }
    ${places}
  }
}
`;
}

/** A place of nginx that answers by itself. */
function place(name: string, status: number, body: object, headers: Readonly<Record<string, string>> = {}): string {
  const lines = Object.entries(headers).map(([header, value]) => `add_header ${header} ${value} always;`);
  return `location @${name} { internal; ${lines.join(' ')} return ${status} '${JSON.stringify(body)}'; }`;
}

const NO_TARGET = `local mark = io.open(ngx.var.closed)
        if mark then mark:close() end`;

const fault = (faultstring: string, errorcode: string) => ({ fault: { faultstring, detail: { errorcode } } });

const words: Readonly<
  Record<GatewayManner, { header: string; lua: { access: string; answered: string }; places: string }>
> = {
  kong: {
    header: 'apikey',
    lua: {
      // Kong tells whose time it was: its own, or the upstream's.
      answered: `header_filter_by_lua_block {
        ngx.header["X-Kong-Request-Id"] = ngx.var.request_id
        local theirs = ngx.var.upstream_header_time
        if theirs and tonumber(theirs) then
          ngx.header["X-Kong-Upstream-Latency"] = "1"
          ngx.header["X-Kong-Proxy-Latency"] = "0"
          ngx.header["Via"] = "1.1 kong/3.9.0"
        else
          ngx.header["X-Kong-Response-Latency"] = "0"
        end
      }`,
      access: `${NO_TARGET}
        local function say(status, message)
          ngx.status = status
          ngx.header["Content-Type"] = "application/json; charset=utf-8"
          ngx.print('{"message":"' .. message .. '","request_id":"' .. ngx.var.request_id .. '"}')
          return ngx.exit(status)
        end
        local key = ngx.req.get_headers()["apikey"]
        if type(key) == "table" then return say(401, "Duplicate API key found") end
        if not key then
          ngx.header["WWW-Authenticate"] = 'Key realm="kong"'
          return say(401, "No API key found in request")
        end
        if ngx.var.consumer == "" then return say(401, "Unauthorized") end
        if mark then return say(503, "failure to get a peer from the ring-balancer") end`,
    },
    places: [
      place('limited', 429, { message: 'API rate limit exceeded' }, { 'Retry-After': '3', 'RateLimit-Remaining': '0' }),
      place('unreachable', 502, { message: 'An invalid response was received from the upstream server' }),
      place('late', 504, { message: 'The upstream server is timing out' }),
    ].join('\n    '),
  },
  apigee: {
    header: 'x-apikey',
    lua: {
      answered: 'add_header X-Apigee-Message-Id $request_id always;',
      access: `${NO_TARGET}
        local function fault(status, text, code)
          ngx.status = status
          ngx.header["Content-Type"] = "application/json"
          ngx.print('{"fault":{"faultstring":"' .. text .. '","detail":{"errorcode":"' .. code .. '"}}}')
          return ngx.exit(status)
        end
        local key = ngx.req.get_headers()["x-apikey"]
        if not key then
          return fault(401, "Failed to resolve API Key variable request.header.x-apikey", "steps.oauth.v2.FailedToResolveAPIKey")
        end
        if ngx.var.consumer == "" then return fault(401, "Invalid ApiKey", "oauth.v2.InvalidApiKey") end
        if mark then return fault(503, "The Service is temporarily unavailable", "messaging.adaptors.http.flow.NoActiveTargets") end`,
    },
    places: [
      place('limited', 429, fault('Rate limit exceeded', 'policies.ratelimit.QuotaViolation'), { 'Retry-After': '3' }),
      place(
        'unreachable',
        503,
        fault('unexpected EOF at target', 'messaging.adaptors.http.flow.UnexpectedEOFAtTarget'),
      ),
      place('late', 504, fault('Gateway Timeout', 'messaging.adaptors.http.flow.GatewayTimeout')),
    ].join('\n    '),
  },
};
