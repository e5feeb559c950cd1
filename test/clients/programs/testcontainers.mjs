// What a test suite does with Testcontainers, in Node as its users run it. Prints what it saw as JSON; waits for its end of input before it goes.
import { GenericContainer, Network, Wait } from 'testcontainers';

const context = process.argv[2];
// As a test runner does: Testcontainers' streams of logs keep no process alive.
const alive = setInterval(() => undefined, 1000);
const network = await new Network().start();
const web = await new GenericContainer('busybox')
  .withNetwork(network)
  .withNetworkAliases('web')
  .withCommand([
    'sh',
    '-c',
    'mkdir -p /www; echo hello > /www/index.html; echo listening; httpd -f -p 8080 -h /www',
  ])
  .withExposedPorts(8080)
  .withCopyContentToContainer([{ content: 'copied', target: '/tmp/file' }])
  .withHealthCheck({ test: ['CMD-SHELL', 'wget -qO- http://127.0.0.1:8080/'], interval: 200, retries: 50 })
  .withWaitStrategy(
    Wait.forAll([Wait.forLogMessage('listening'), Wait.forListeningPorts(), Wait.forHealthCheck()]),
  )
  .start();
const page = async () => (await fetch(`http://localhost:${web.getMappedPort(8080)}/`)).text();
const seen = { page: await page(), exec: (await web.exec(['cat', '/tmp/file'])).output };
const client = await new GenericContainer('busybox')
  .withNetwork(network)
  .withCommand(['sh', '-c', 'wget -qO- http://web:8080/; sleep 600'])
  .withWaitStrategy(Wait.forLogMessage('hello'))
  .start();
await web.restart();
seen.restarted = await page();
const image = await GenericContainer.fromDockerfile(context).build('testcontainers:built');
const once = await image.withWaitStrategy(Wait.forOneShotStartup()).start();
seen.built = await (await once.logs()).toArray().then((lines) => lines.join('').trim());
await once.stop();
await client.stop();
process.stdout.write(`${JSON.stringify({ ...seen, left: web.getId() })}\n`);
for await (const _ of process.stdin);
clearInterval(alive);
process.exit(0);
