// The way out for tests whose network namespace has none: an HTTP proxy on a Unix socket, beside the tests. It goes on through the machine's own proxy where one is set.
import { createServer, request } from 'node:http';
import { connect } from 'node:net';

const upstreamOf = (...names) => {
  const text = names.map((name) => process.env[name]).find(Boolean);
  return text === undefined ? undefined : new URL(text);
};

/** Resolves to what ends it. */
export async function serveOutside(path) {
  const server = createServer(forward);
  server.on('connect', tunnel);
  server.on('clientError', (_error, socket) => socket.destroy());
  await new Promise((done, failed) => server.once('error', failed).listen(path, done));
  return () => {
    server.closeAllConnections();
    server.close();
  };
}

/** `GET http://host/path` */
function forward(message, response) {
  const target = URL.parse?.(message.url) ?? new URL(message.url);
  const proxy = upstreamOf('http_proxy', 'HTTP_PROXY');
  const { hostname, port } = proxy ?? target;
  const asked = request({
    host: hostname,
    port: port || 80,
    method: message.method,
    path: proxy === undefined ? target.pathname + target.search : message.url,
    headers: message.headers,
  });
  asked.on('response', (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
    answer.on('error', () => response.destroy());
  });
  asked.on('error', () => (response.headersSent ? response.destroy() : response.writeHead(502).end()));
  response.on('close', () => asked.destroy());
  message.pipe(asked);
}

/** `CONNECT host:443` */
function tunnel({ url }, socket, head) {
  const proxy = upstreamOf('https_proxy', 'HTTPS_PROXY');
  const { hostname, port } = proxy ?? new URL(`http://${url}`);
  const outside = connect(Number(port) || 443, hostname, () => {
    if (proxy === undefined) socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
    else outside.write(`CONNECT ${url} HTTP/1.1\r\nHost: ${url}\r\n\r\n`);
    outside.write(head);
    outside.pipe(socket);
    socket.pipe(outside);
  });
  for (const [one, other] of [
    [outside, socket],
    [socket, outside],
  ]) {
    one.on('error', () => other.destroy());
    one.on('close', () => other.destroy());
  }
}
