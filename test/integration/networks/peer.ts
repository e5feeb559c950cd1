/**
 * `peer.ts serve <tcp port> <udp port>` answers each client with the address that it sees it by; `peer.ts ask <tcp|udp> <address> <port>`
 * prints an answer. For the network namespaces of tests, entered from outside.
 */
import { createSocket } from 'node:dgram';
import { connect, createServer } from 'node:net';

const [verb, first = '', second = '', third = ''] = process.argv.slice(2);
if (verb === 'serve') serve(Number(first), Number(second));
else if (verb === 'ask') ask(first, second, Number(third));

function serve(tcpPort: number, udpPort: number): void {
  const tcp = createServer((client) => client.end(plain(client.remoteAddress ?? '')));
  tcp.listen({ host: '::', port: tcpPort }, () => {
    const udp = createSocket({ type: 'udp6' });
    udp.on('message', (_data, from) => udp.send(plain(from.address), from.port, from.address));
    udp.bind({ address: '::', port: udpPort }, () => process.stdout.write('ready\n'));
  });
}

function ask(protocol: string, address: string, port: number): void {
  const timer = setTimeout(() => process.exit(0), 1500);
  const tell = (data: Uint8Array): void => {
    clearTimeout(timer);
    process.stdout.write(data, () => process.exit(0));
  };
  if (protocol === 'tcp') {
    const socket = connect({ host: address, port });
    socket.on('data', tell);
    socket.on('error', () => process.exit(0));
  } else {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    socket.on('message', tell);
    socket.on('error', () => process.exit(0));
    socket.send('ping', port, address);
  }
}

/** IPv4 as itself, also where the socket is of IPv6. */
function plain(address: string): string {
  return address.replace(/^::ffff:/, '');
}
