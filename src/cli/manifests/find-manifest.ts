import { ApiError } from '../../client/api-error.ts';
import type { DistributionManifest } from '../../client/model.ts';
import { EngineError } from '../../errors/engine-error.ts';
import type { Invocation } from '../context.ts';
import { registryAuthIfAny } from '../credentials/registry-auth.ts';
import type { ManifestName } from './manifest-name.ts';

/** What a registry has under a name. @throws EngineError "not-found" in Docker's words. */
export async function findManifest(
  { context, client }: Pick<Invocation, 'context' | 'client'>,
  { whole, domain }: ManifestName,
  { insecure }: { insecure: boolean },
): Promise<DistributionManifest> {
  try {
    return await client.distribution.manifest(whole, {
      auth: await registryAuthIfAny(context, domain),
      tlsVerify: !insecure,
    });
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 404) throw error;
    throw new EngineError('not-found', `no such manifest: ${whole}`, { cause: error });
  }
}
