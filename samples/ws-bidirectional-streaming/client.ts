/** Asks two questions at once, prints both answers as they come, and stops the second after two tokens. */
const socket = new WebSocket(`ws://localhost:${process.env['PORT'] ?? 8088}/invocations_ws`);
const send = (message: object) => socket.send(JSON.stringify(message));
const running = new Set(['tea', 'coffee']);
let coffeeTokens = 0;

socket.addEventListener('open', () => {
  send({ id: 'tea', ask: 'Is it time for tea' });
  send({ id: 'coffee', ask: 'Is it time for coffee' });
});

socket.addEventListener('message', ({ data }) => {
  const { id, token, end } = JSON.parse(String(data)) as { id: string; token?: string; end?: string };
  console.log(`${id}: ${token ?? `(${end})`}`);
  if (id === 'coffee' && token !== undefined) {
    coffeeTokens += 1;
    if (coffeeTokens === 2) send({ cancel: 'coffee' });
  }
  if (end !== undefined) running.delete(id);
  if (running.size === 0) socket.close(1000);
});
