/** Baseline: an echo with ws and nothing around it. */
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import { reportPort } from './report.ts';

const server = new WebSocketServer({ port: 0, host: '127.0.0.1', maxPayload: 16 * 1024 * 1024 });
server.on('connection', (socket) => {
  socket.on('error', () => socket.terminate());
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
});
server.on('listening', () => reportPort((server.address() as AddressInfo).port));
