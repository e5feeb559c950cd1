import { ApiError } from '../../../client/api-error.ts';
import type { ContainerCreated } from '../../../client/model.ts';
import { EngineError } from '../../../errors/engine-error.ts';
import type { Invocation } from '../../context.ts';
import { readImageName } from '../../image-name.ts';
import { CidFile } from './cid-file.ts';
import type { CreateBody } from './create-options/create-body.ts';
import { withMissingSpace } from './missing-space.ts';

/**
 * Create the container of `body`, pulling its image first where `--pull` says so or it isn't there.
 *
 * @throws ApiError when the daemon refuses; EngineError "invalid" for a bad name or option.
 */
export async function createContainer(invocation: Invocation, body: CreateBody): Promise<ContainerCreated> {
  const { flags, client, context } = invocation;
  const name = await named(invocation, async () => readImageName(body.Image));
  const platform = checkPlatform(flags.string('platform') || (context.env.DOCKER_DEFAULT_PLATFORM ?? ''));
  if (body.HostConfig.HealthOnFailure !== undefined)
    await client.connection.requireSampan('act on a container that turns unhealthy');
  if (flags.bool('publish-shared'))
    await client.connection.requireSampan('have containers share a published port');
  const cidFile = await CidFile.claim(flags.string('cidfile'));
  try {
    const created = await createNamed(invocation, body, { name, platform });
    await cidFile?.write(created.Id);
    return created;
  } finally {
    await cidFile?.close();
  }
}

async function createNamed(
  invocation: Invocation,
  body: CreateBody,
  { name, platform }: { name: ReturnType<typeof readImageName>; platform: string },
): Promise<ContainerCreated> {
  const { flags, client, context } = invocation;
  const policy = flags.string('pull');
  const pull = () =>
    named(invocation, async () => {
      const { pullForCreate } = await import('../image/pull-for-create.ts');
      await pullForCreate(invocation, { name, platform });
    });
  if (policy === 'always') await pull();
  const create = () => client.containers.create(body, { name: flags.string('name'), platform });
  let created: ContainerCreated;
  try {
    created = await create();
  } catch (error) {
    if (!isMissingImage(error)) throw error;
    if (policy !== 'missing') throw await withMissingSpace(invocation, error);
    if (!flags.bool('quiet')) await context.stderr.write(`Unable to find image '${name.familiar}' locally\n`);
    await pull();
    created = await create();
  }
  for (const warning of created.Warnings ?? []) await context.stderr.write(`WARNING: ${warning}\n`);
  return created;
}

/** What depends on the image's name being one. */
async function named<T>(invocation: Invocation, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw await withMissingSpace(invocation, error);
  }
}

/** @throws EngineError "invalid" in Docker's words. */
export function checkPullPolicy(flags: Invocation['flags']): void {
  const policy = flags.string('pull');
  if (!/^(?:always|missing|never)?$/.test(policy))
    throw new EngineError(
      'invalid',
      `invalid pull option: '${policy}': must be one of "always", "missing" or "never"`,
    );
}

/** Also where there is one of another platform. */
function isMissingImage(error: unknown): boolean {
  return (
    error instanceof ApiError &&
    error.status === 404 &&
    /No such image|^image with reference .* was found but/.test(error.message)
  );
}

const PART = /^[A-Za-z0-9_.-]+$/;

function checkPlatform(platform: string): string {
  const parts = platform.split('/');
  if (platform !== '' && (parts.length > 3 || !parts.every((part) => PART.test(part))))
    throw new EngineError(
      'invalid',
      `error parsing specified platform: ${JSON.stringify(platform)}: cannot parse platform specifier: invalid argument`,
    );
  return platform;
}
