import { EngineError } from '../../errors/engine-error.ts';
import { parseReference, type Reference, withDefaultTag } from '../../oci/reference.ts';
import { type ApiRequest, textParam } from '../api-request.ts';
import type { ApiResponse } from '../api-response.ts';
import { registryAccess, registryCredentials } from '../decode/credentials.ts';
import { platformParam } from '../decode/platform.ts';
import { encodeTransferLine } from '../encode/image.ts';
import { ProgressWriter } from '../progress-writer.ts';
import type { RegistryBackend } from '../registry-backend.ts';

/**
 * `POST /images/copy?from={name}&to={name}`: from registry to registry, as a push's lines. Sampan's own.
 *
 * `X-Registry-Auth` is for the destination, `X-Registry-Auth-Source` for the source.
 */
export async function copyImage(
  registry: RegistryBackend,
  request: ApiRequest,
  response: ApiResponse,
): Promise<void> {
  const from = nameParam(request, 'from');
  const to = nameParam(request, 'to');
  if (to.digest !== undefined) throw new EngineError('invalid', 'cannot push a digest reference');
  const { credentials, tlsVerify } = registryAccess(request);
  const copy = {
    from: withDefaultTag(from),
    to: withDefaultTag({ ...to, tag: to.tag ?? from.tag }),
    platform: platformParam(request),
    credentials: { from: registryCredentials(request, 'x-registry-auth-source'), to: credentials },
    tlsVerify,
  };
  const progress = new ProgressWriter(response);
  try {
    await registry.copy(copy, {
      signal: request.signal,
      progress: (line) => progress.write(encodeTransferLine(line)),
    });
    await progress.end();
  } catch (error) {
    await progress.fail(error, request.signal);
  }
}

function nameParam(request: ApiRequest, name: string): Reference {
  const text = textParam(request, name);
  if (text === undefined) throw new EngineError('invalid', `${name} is missing: expected an image's name`);
  return parseReference(text);
}
