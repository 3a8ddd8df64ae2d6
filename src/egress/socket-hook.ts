/**
 * The one place through which every outgoing connection of this process passes, whoever makes it: `fetch`, `node:http`,
 * `node:http2`, `node:tls`, WebSockets and client libraries all end at `connect` of Node's socket. While a judge is
 * installed that function asks it first. UDP has no business here and is refused by any judge that refuses at all.
 *
 * Worker threads and child processes have sockets of their own; this process starts none that connect to anything.
 */
import { Socket as DatagramSocket } from 'node:dgram';
import { Socket } from 'node:net';
import type { ConnectionTarget } from './destination.ts';

/** What a judge says of a connection. */
export type ConnectionVerdict =
  /** It may go on; to these addresses only, where some are given. */
  | { readonly kind: 'allow'; readonly mayReach?: (address: string) => boolean; readonly refusal: () => Error }
  | { readonly kind: 'refuse'; readonly refusal: Error };

export type ConnectionJudge = (target: ConnectionTarget | 'datagram') => ConnectionVerdict;

type AnyFunction = (this: unknown, ...given: unknown[]) => unknown;

const judges: ConnectionJudge[] = [];
let originals: { connect: AnyFunction; datagramConnect: AnyFunction; datagramSend: AnyFunction } | undefined;

/**
 * Has a judge asked about every connection from now on. With several (containers in one process) it takes one that allows.
 * @returns how to take it away; with the last one Node's own functions are put back
 */
export function installConnectionJudge(judge: ConnectionJudge): () => void {
  judges.push(judge);
  if (judges.length === 1) hook();
  return () => {
    const at = judges.indexOf(judge);
    if (at < 0) return;
    judges.splice(at, 1);
    if (judges.length === 0) unhook();
  };
}

function judged(target: ConnectionTarget | 'datagram'): ConnectionVerdict | undefined {
  const verdicts = judges.map((judge) => judge(target));
  return verdicts.find(({ kind }) => kind === 'allow') ?? verdicts[0];
}

function hook(): void {
  const socket = Socket.prototype as unknown as { connect: AnyFunction };
  const datagram = DatagramSocket.prototype as unknown as { connect: AnyFunction; send: AnyFunction };
  const { connect } = socket;
  const { connect: datagramConnect, send: datagramSend } = datagram;
  originals = { connect, datagramConnect, datagramSend };
  socket.connect = function guardedConnect(...given) {
    const target = targetOf(given);
    const verdict = target === undefined ? undefined : judged(target);
    if (verdict === undefined) return Reflect.apply(connect, this, given);
    if (verdict.kind === 'refuse') return refuse(this as Socket, verdict.refusal);
    watch(this as Socket, verdict);
    return Reflect.apply(connect, this, given);
  };
  const withDatagrams = (original: AnyFunction): AnyFunction =>
    function guardedDatagram(...given) {
      const verdict = judged('datagram');
      if (verdict === undefined || verdict.kind === 'allow') return Reflect.apply(original, this, given);
      const callback = given.findLast((one) => typeof one === 'function');
      queueMicrotask(() => {
        if (callback === undefined) (this as DatagramSocket).emit('error', verdict.refusal);
        else callback(verdict.refusal);
      });
      return undefined;
    };
  datagram.connect = withDatagrams(datagramConnect);
  datagram.send = withDatagrams(datagramSend);
}

function unhook(): void {
  if (originals === undefined) return;
  Object.assign(Socket.prototype, { connect: originals.connect });
  Object.assign(DatagramSocket.prototype, { connect: originals.datagramConnect, send: originals.datagramSend });
  originals = undefined;
}

/** Where it goes, of all the forms that `connect` takes. @returns undefined for arguments that Node itself refuses */
function targetOf(given: readonly unknown[]): ConnectionTarget | undefined {
  // Node's own callers hand the arguments over as one list.
  const [first, second] = Array.isArray(given[0]) ? (given[0] as unknown[]) : given;
  if (typeof first === 'object' && first !== null) {
    const { path, host, port } = first as { path?: unknown; host?: unknown; port?: unknown };
    if (typeof path === 'string' && path !== '') return { path };
    return addressed(host, port);
  }
  if (typeof first === 'string' && !/^\d+$/.test(first)) return { path: first };
  return addressed(second, first);
}

function addressed(host: unknown, port: unknown): ConnectionTarget | undefined {
  const number = Number(port);
  if (!Number.isInteger(number)) return undefined;
  return { host: typeof host === 'string' && host !== '' ? host : 'localhost', port: number };
}

/** Fails a socket as a connection fails that was tried: later, with an error event. */
function refuse(socket: Socket, refusal: Error): Socket {
  // What is written until then waits for the connection, as it would for a real one.
  (socket as { connecting: boolean }).connecting = true;
  queueMicrotask(() => socket.destroy(refusal));
  return socket;
}

/** Ends a connection that leads to an address that was not meant: when its name is resolved, at the latest when it stands. */
function watch(socket: Socket, { mayReach, refusal }: Extract<ConnectionVerdict, { kind: 'allow' }>): void {
  if (mayReach === undefined) return;
  const check = (address: string | undefined) => {
    if (address !== undefined && address !== '' && !mayReach(address)) socket.destroy(refusal());
  };
  const onLookup = (_failure: Error | null, address: string) => check(address);
  socket.on('lookup', onLookup);
  socket.prependOnceListener('connect', () => {
    socket.off('lookup', onLookup);
    check(socket.remoteAddress);
  });
}
