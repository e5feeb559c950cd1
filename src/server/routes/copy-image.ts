import { EngineError } from '../../errors/engine-error.ts';
import { parseReference, type Reference, withDefaultTag } from '../../oci/reference.ts';
import { type ApiRequest, textParam } from '../api-request.ts';
import type { ApiResponse } from '../api-response.ts';
import { registryAccess, registryCredentials } from '../decode/credentials.ts';
import { platformJson } from '../decode/platform.ts';
import { encodeTransferLine } from '../encode/image.ts';
import { ProgressWriter } from '../progress-writer.ts';
import type { RegistryBackend } from '../registry-backend.ts';
import type { Route } from '../router.ts';
import type { Backends } from '../server-options.ts';

/** `POST /images/copy`: from registry to registry, see `ImageCopyQuery`. */
export function copyImageRoutes({ registry }: Backends): Route[] {
  return [
    {
      method: 'POST',
      pattern: '/images/copy',
      handler: (request, response) => copy(registry, request, response),
    },
  ];
}

async function copy(registry: RegistryBackend, request: ApiRequest, response: ApiResponse): Promise<void> {
  const { credentials, tlsVerify } = registryAccess(request);
  const platform = textParam(request, 'platform');
  const from = nameParam(request, 'from');
  const to = nameParam(request, 'to');
  if (to.digest !== undefined && (to.digest !== from.digest || platform !== undefined))
    throw new EngineError('invalid', 'cannot push a digest reference');
  const progress = new ProgressWriter(response);
  try {
    const { digest, size } = await registry.copy(
      {
        from,
        to,
        platform: platform === undefined ? undefined : platformJson(platform),
      },
      {
        signal: request.signal,
        credentials: { from: registryCredentials(request, 'x-registry-auth-source'), to: credentials },
        tlsVerify: { from: tlsVerify, to: tlsVerify },
        progress: (line) => progress.write(encodeTransferLine(line)),
      },
    );
    progress.write(encodeTransferLine({ aux: { Tag: to.tag ?? '', Digest: digest, Size: BigInt(size) } }));
    await progress.end();
  } catch (error) {
    await progress.fail(error, request.signal);
  }
}

function nameParam(request: ApiRequest, name: string): Reference {
  const text = textParam(request, name);
  if (text === undefined) throw new EngineError('invalid', `missing parameter ${name}`);
  return withDefaultTag(parseReference(text));
}
