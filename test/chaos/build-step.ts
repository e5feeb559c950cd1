import { file, makeTar } from '../support/images/tar-maker.ts';
import { accepts, lostOrAsked, type WorkerContext } from './ask.ts';

/** Build an image whose RUN lasts tenths of a second; what it makes is another thing each time. */
export async function build(
  { image, lasts }: { image: string; lasts: number },
  context: WorkerContext,
): Promise<void> {
  const { model, tally } = context;
  const made = `${image} ${lasts} ${tally.steps}`;
  const dockerfile = [
    'FROM busybox',
    'COPY made /made',
    `RUN i=0; while [ $i -lt ${lasts} ]; do i=$((i+1)); sleep 0.1; done; cat /made > /twice; cat /made >> /twice`,
  ];
  const archive = makeTar([file('Dockerfile', `${dockerfile.join('\n')}\n`), file('made', made)]);
  const outcome = await lostOrAsked(context, ['POST', `/build?t=${image}`, archive]);
  if (outcome === 'lost') return model.build(image, 'present', false);
  const failed = outcome.status !== 200 || outcome.body.includes('"errorDetail"');
  if (!failed && outcome.body.includes('Successfully tagged')) {
    tally.builds++;
    return model.build(image, 'present', true);
  }
  // A stream that is cut off by the kill ends without an error.
  if (await context.api.wasKilled()) return model.build(image, 'present', false);
  accepts({ ...outcome, status: 500, body: outcome.body.slice(-300) }, [200], context);
}

/** Remove a volume that containers may still use. */
export async function removeVolume(name: string, context: WorkerContext): Promise<void> {
  const { model } = context;
  const outcome = await lostOrAsked(context, ['DELETE', `/volumes/${name}`]);
  if (outcome === 'lost') return model.volume(name, 'absent', false);
  const mayLack = model.volumes.get(name)?.possible.has('absent') !== false;
  const inUse = [...model.containers.values()].some((one) => one.volume === name && one.mayBeThere);
  if (outcome.status === 409 && inUse) return;
  if ((outcome.status === 404 && mayLack) || accepts(outcome, [204], context))
    model.volume(name, 'absent', true);
}
