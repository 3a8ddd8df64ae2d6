/** A collector that takes everything and keeps nothing; its count proves that spans really leave the server under test. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

let received = 0;
const server = createServer((request, response) => {
  request.on('data', (chunk: Buffer) => {
    received += chunk.length;
  });
  request.on('end', () =>
    response.writeHead(200, { 'content-type': 'application/x-protobuf', 'content-length': 0 }).end(),
  );
});
server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }));
process.on('message', (question) => {
  if (question === 'received') process.send?.({ received });
});
