import type { Invocation } from '../../context.ts';
import { registryAuth } from '../../credentials/registry-auth.ts';
import type { ImageName } from '../../image-name.ts';
import { showProgress } from '../../output/progress.ts';
import { silentSink } from '../../terminal/silent-sink.ts';

/** The pull within `run` and `create`: its progress goes to stderr. */
export async function pullForCreate(
  { client, context, flags }: Invocation,
  { name, platform }: { name: ImageName; platform: string },
): Promise<void> {
  const messages = client.images.pull({
    repository: name.repository,
    tag: name.digest ?? name.tag ?? 'latest',
    platform,
    auth: await registryAuth(context, name.domain),
  });
  await showProgress(messages, flags.bool('quiet') ? silentSink : context.stderr);
}
