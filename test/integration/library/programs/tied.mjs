// Makes containers and a volume, tells of them, and stays or ends as it is told (`stay`, `end`, `throw`).
import { connect } from 'sampan';

const [, , manner] = process.argv;

/** Nothing of the library is within reach afterwards. */
async function make() {
  const engine = await connect();
  const volume = await engine.volumes.create({ labels: { of: 'tied' } });
  const options = { command: ['sleep', '600'] };
  const mounts = [volume.at('/data'), { type: 'volume', target: '/anonymous' }];
  const tied = [await engine.run('busybox', { ...options, mounts }), await engine.create('busybox', options)];
  const kept = await engine.run('busybox', { ...options, name: `kept-${process.pid}`, keep: true });
  return { tied: tied.map(({ id }) => id), kept: kept.id, volume: volume.name };
}

process.stdout.write(`${JSON.stringify(await make())}\n`);
if (manner === 'throw') throw new Error('unforeseen');
// What nothing reaches is collected: the connection must not be.
if (manner === 'stay') setInterval(() => (globalThis.Bun ? Bun.gc(true) : globalThis.gc()), 500);
