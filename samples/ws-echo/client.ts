/** Says two things, prints what comes back, and leaves. */
const socket = new WebSocket(`ws://localhost:${process.env['PORT'] ?? 8088}/invocations_ws`);
socket.binaryType = 'arraybuffer';

let answers = 0;
socket.addEventListener('open', () => {
  socket.send('hello');
  socket.send(new Uint8Array([1, 2, 3]));
});
socket.addEventListener('message', ({ data }) => {
  console.log('echo:', typeof data === 'string' ? data : new Uint8Array(data as ArrayBuffer));
  answers += 1;
  if (answers === 2) socket.close(1000);
});
socket.addEventListener('close', ({ code }) => console.log('closed:', code));
