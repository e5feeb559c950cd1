// Run outside, by `OutsideHost`: prints how many milliseconds it took to read all of one connection, or to make so many.
import { connect } from 'node:net';

const [mode, host = '', port = '', count = ''] = process.argv.slice(2);
const CLIENTS = 4;

/** @returns The bytes that came. */
function readAll(): Promise<number> {
  return new Promise((resolve, reject) => {
    let bytes = 0;
    const socket = connect(Number(port), host);
    if (mode === 'connections') socket.write('GET /none HTTP/1.0\r\n\r\n');
    socket.on('data', (chunk) => {
      bytes += chunk.length;
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(bytes));
  });
}

async function connections(total: number): Promise<void> {
  let left = total;
  const client = async (): Promise<void> => {
    while (left-- > 0) await readAll();
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
}

const started = performance.now();
if (mode === 'bytes') {
  if ((await readAll()) === 0) throw new Error('Nothing came');
} else await connections(Number(count));
process.stdout.write(String(performance.now() - started));
