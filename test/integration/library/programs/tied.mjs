// Makes containers and a volume, tells of them, and stays or ends as it is told (`stay`, `end`, `throw`).
import { connect } from 'sampan';

const [, , manner] = process.argv;
const engine = await connect();
const volume = await engine.volumes.create({ labels: { of: 'tied' } });
const options = { command: ['sleep', '600'] };
const made = [
  await engine.run('busybox', {
    ...options,
    mounts: [volume.at('/data'), { type: 'volume', target: '/anonymous' }],
  }),
  await engine.create('busybox', options),
];
const kept = await engine.run('busybox', { ...options, name: `kept-${process.pid}`, keep: true });
console.log(JSON.stringify({ tied: made.map(({ id }) => id), kept: kept.id, volume: volume.name }));
if (manner === 'throw') throw new Error('unforeseen');
if (manner === 'stay') setInterval(() => undefined, 1000);
