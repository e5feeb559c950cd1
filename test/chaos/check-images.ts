import type { CheckContext } from './check-containers.ts';
import type { Contents } from './sample-images.ts';

/** An image is whole or absent: what is listed must be expected, and have every byte of every layer. */
export async function checkImages(contents: Contents, context: CheckContext): Promise<void> {
  const { api, model, tally, setting } = context;
  for (const [name, sums] of contents) {
    const outcome = await api.call('GET', `/images/${name}:latest/json`);
    if (outcome.lost) throw new Error('The daemon is gone');
    const state = outcome.status === 200 ? 'present' : 'absent';
    const possible = model.images.get(name) ?? new Set(['absent']);
    if (!possible.has(state)) tally.violations.push(`image ${name} is ${state}`);
    model.image(name, state, true);
    if (state === 'absent' || setting === 'full-disk') continue;
    const seen = await contentsOf(name, context);
    if (seen === sums) tally.wholeImages++;
    else tally.violations.push(`image ${name} is not whole: ${seen}`);
  }
}

async function contentsOf(image: string, { api }: CheckContext): Promise<string> {
  const name = `check-${image}`;
  const created = await api.call('POST', `/containers/create?name=${name}`, {
    Image: image,
    Cmd: ['sh', '-c', 'exec sha256sum /data*'],
    HostConfig: { NetworkMode: 'none' },
  });
  if (created.lost || created.status !== 201) return `create: ${JSON.stringify(created)}`;
  const started = await api.call('POST', `/containers/${name}/start`);
  await api.call('POST', `/containers/${name}/wait`);
  let text = '';
  await api.logs(name, (part) => {
    text += part;
  });
  await api.call('DELETE', `/containers/${name}?force=1`);
  return !started.lost && started.status === 204 ? text : `start: ${JSON.stringify(started)}`;
}
