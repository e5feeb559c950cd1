import type { KeyObject } from 'node:crypto';
import { EngineError, messageOf } from '../../errors/engine-error.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { algorithmOf, type Digest, hexOf } from '../../oci/digest.ts';
import { parseManifest } from '../../oci/manifest.ts';
import { isManifestType } from '../../oci/media-types.ts';
import { familiarName, isTag, type Reference, repositoryName } from '../../oci/reference.ts';
import { isUnreachable, readBlob } from '../../registry/client/read-blob.ts';
import type {
  RegistryCatalog,
  RegistryClient,
  RegistryRequest,
} from '../../registry/client/registry-client.ts';
import { RegistryResponseError } from '../../registry/transport/response-errors.ts';
import { bundleFault, type SignedImage, signatureFault } from './image-signature.ts';
import { ruleFor, type SignaturePolicy } from './signature-policy.ts';

export interface SignaturePorts {
  registry: RegistryClient;
  catalog: Pick<RegistryCatalog, 'referrers'>;
  request: RegistryRequest;
}

const CLAIM_MEDIA_TYPE = 'application/vnd.dev.cosign.simplesigning.v1+json';
const ARTIFACT_TYPE = 'application/vnd.dev.cosign.artifact.sig.v1+json';
const BUNDLE_TYPE = 'application/vnd.dev.sigstore.bundle.v0.3+json';
const SIGNATURE_ANNOTATION = 'dev.cosignproject.cosign/signature';
const MAX_CLAIM_BYTES = 64 << 10;
const MAX_SIGNATURE_CHARACTERS = 4096;
/** Of one image, whoever put them there. */
const MAX_SIGNATURES = 50;
const MAX_REFERRERS = 16;
const SHOWN_FAULTS = 3;

/**
 * Refuse what a policy doesn't let in. What counts is the digest that the name stands for: an index's signature is one for all that it refers to.
 *
 * Signatures are looked for where cosign puts them, in the image's own repository: under the tag `<algorithm>-<hex>.sig`, then among its referrers.
 *
 * @throws EngineError "forbidden" code signature-refused, with the reason; as RegistryClient where signatures cannot be looked for.
 */
export async function requireSignature(
  image: { reference: Reference; digest: Digest },
  policy: SignaturePolicy,
  ports: SignaturePorts,
): Promise<void> {
  const { reference, digest } = image;
  const { pattern, rule } = ruleFor(policy, reference);
  if (rule.kind === 'accept') return;
  const where =
    pattern === 'default' ? 'the default of the signature policy' : `the signature policy for ${pattern}`;
  if (rule.kind === 'reject') throw refused(image, `${where} lets nothing in`);
  const repository = rule.signedAs === '*' ? undefined : (rule.signedAs ?? repositoryName(reference));
  const found = new SignatureSearch({ ...image, repository }, rule.keys, ports);
  if ((await found.byTag()) || (await found.byReferrers())) return;
  const { faults, unreachable } = found;
  const absent =
    unreachable === undefined
      ? `${digest} has no signature`
      : `signatures of ${digest} cannot be looked for (${unreachable})`;
  const reason =
    faults.length === 0
      ? absent
      : `no signature of ${digest} counts: one ${[...new Set(faults)].slice(0, SHOWN_FAULTS).join(', one ')}`;
  const advice =
    unreachable === undefined
      ? `Sign it ("cosign sign --key <key> ${repositoryName(reference)}@${digest}"), or change the policy's rule`
      : "Try again once the registry answers, or change the policy's rule";
  throw refused(
    image,
    `${where} wants a signature by one of its keys for ${repository ?? 'any repository'}, and ${reason}. ${advice}`,
  );
}

function refused({ reference }: { reference: Reference }, reason: string): EngineError {
  return new EngineError('forbidden', `Cannot pull ${familiarName(reference)}: ${reason}`, {
    code: 'signature-refused',
  });
}

class SignatureSearch {
  /** What was wrong with those that were found. */
  readonly faults: string[] = [];
  /** Why not everybody could be asked: a mirror hasn't got any, and the registry itself is out of reach. */
  unreachable: string | undefined;
  readonly #image: SignedImage;
  readonly #keys: readonly KeyObject[];
  readonly #ports: SignaturePorts;
  #seen = 0;

  constructor(image: SignedImage, keys: readonly KeyObject[], ports: SignaturePorts) {
    this.#image = image;
    this.#keys = keys;
    this.#ports = ports;
  }

  async byTag(): Promise<boolean> {
    const { reference, digest } = this.#image;
    const tag = `${algorithmOf(digest)}-${hexOf(digest)}.sig`;
    // What cosign would call the signature of a longer digest is no tag.
    return isTag(tag) && (await this.#isSignedBy({ ...reference, tag, digest: undefined }));
  }

  async byReferrers(): Promise<boolean> {
    if (await this.#byReferrersOf(ARTIFACT_TYPE)) return true;
    // A bundle names no repository.
    return this.#image.repository === undefined && (await this.#byReferrersOf(BUNDLE_TYPE));
  }

  async #byReferrersOf(artifactType: string): Promise<boolean> {
    const { catalog, request } = this.#ports;
    const { reference, digest } = this.#image;
    const subject = { repository: reference, digest, artifactType };
    const referrers = await catalog.referrers(subject, request).catch((error: unknown) => {
      this.#noteUnreachable(error);
      return [];
    });
    for (const referrer of referrers.slice(0, MAX_REFERRERS))
      if (await this.#isSignedBy({ ...reference, tag: undefined, digest: referrer.digest })) return true;
    return false;
  }

  /** Whether one of the signatures in a manifest, which may be absent, stands for the image. */
  async #isSignedBy(reference: Reference): Promise<boolean> {
    const { registry, request } = this.#ports;
    try {
      const { bytes, descriptor, source } = await registry.manifest(reference, request);
      if (!isManifestType(descriptor.mediaType)) throw new EngineError('invalid', 'not a manifest');
      const { layers } = parseManifest(bytes, descriptor.mediaType);
      for (const layer of layers) {
        if (this.#seen++ >= MAX_SIGNATURES) return false;
        const fault = await this.#faultOf(layer, reference, { ...request, source });
        if (fault === undefined) return true;
        this.faults.push(fault);
      }
    } catch (error) {
      if (error instanceof RegistryResponseError && error.status === 404) return false;
      if (error instanceof EngineError && error.kind === 'invalid')
        this.faults.push(`is malformed (${error.message.slice(0, 200)})`);
      else this.#noteUnreachable(error);
    }
    return false;
  }

  /** @throws what is no such failure. */
  #noteUnreachable(error: unknown): void {
    if (!isUnreachable(error)) throw error;
    this.unreachable = messageOf(error);
  }

  async #faultOf(
    layer: Descriptor,
    repository: Reference,
    request: RegistryRequest,
  ): Promise<string | undefined> {
    const isBundle = layer.mediaType === BUNDLE_TYPE && this.#image.repository === undefined;
    const signature = layer.annotations?.[SIGNATURE_ANNOTATION] ?? '';
    if (!isBundle && layer.mediaType !== CLAIM_MEDIA_TYPE)
      return `has the media type ${JSON.stringify(layer.mediaType.slice(0, 200))}`;
    if (!isBundle && (signature === '' || signature.length > MAX_SIGNATURE_CHARACTERS))
      return 'has no signature that could be one';
    const payload = await readBlob(
      this.#ports.registry,
      { repository, descriptor: layer, maxBytes: MAX_CLAIM_BYTES },
      request,
    );
    if (isBundle) return bundleFault(payload, this.#image, this.#keys);
    const decoded = Buffer.from(signature, 'base64');
    return signatureFault({ payload, signature: decoded }, this.#image, this.#keys);
  }
}
