import type { Descriptor } from '../../oci/descriptor.ts';
import type { Reference } from '../../oci/reference.ts';
import type { Snapshotter } from '../../snapshots/snapshotter.ts';
import type { BuildRequest } from '../build-request.ts';
import { timeOf } from '../export/image-config.ts';
import type { Attestation } from '../export/image-documents.ts';
import type { BuiltStage } from '../export/store-build.ts';
import { installedPackages, systemRelease } from './installed-packages.ts';
import { type BuildFacts, provenanceOf, readProvenanceOptions } from './provenance.ts';
import { sbomOf } from './sbom.ts';
import type { AttestedFile } from './statement.ts';

export interface AttestPorts {
  attestations: BuildRequest['attestations'];
  /** How it was built, up to now. */
  facts: () => BuildFacts;
  snapshotter: Pick<Snapshotter, 'tree'>;
}

export interface AttestOptions extends AttestPorts {
  references: readonly Reference[];
  /** What nobody asked for (a client's default) is said only of what leaves: the ID of what stays is that of its content. */
  takesDefaults: boolean;
  /** SOURCE_DATE_EPOCH, seconds. */
  epoch: number | undefined;
  /** Of a tree that is no image. */
  files?: readonly AttestedFile[];
}

/** What is to be said of `manifest`. */
export async function attestStage(
  stage: BuiltStage,
  manifest: Descriptor,
  { attestations, facts, snapshotter, takesDefaults, epoch, ...subject }: AttestOptions,
): Promise<Attestation[]> {
  const { platform } = stage;
  const about = { ...subject, platform, manifest };
  const said: Attestation[] = [];
  if (attestations.has('sbom')) {
    const seconds = epoch ?? Math.floor(Date.now() / 1000);
    const created = timeOf(BigInt(seconds) * 1_000_000_000n);
    said.push(await packagesOf(stage, { snapshotter, about: { ...about, created } }));
  }
  const provenance = attestations.get('provenance');
  const options = provenance === undefined ? undefined : readProvenanceOptions(provenance);
  if (options !== undefined && (!options.isDefault || takesDefaults))
    said.push(provenanceOf(facts(), options, about));
  return said;
}

async function packagesOf(
  { chain }: BuiltStage,
  { snapshotter, about }: { snapshotter: Pick<Snapshotter, 'tree'>; about: Parameters<typeof sbomOf>[2] },
): Promise<Attestation> {
  const tree = chain === undefined ? undefined : await snapshotter.tree(chain);
  try {
    const packages = tree === undefined ? [] : await installedPackages(tree);
    const release = tree === undefined ? undefined : await systemRelease(tree);
    return sbomOf(packages, release, about);
  } finally {
    await tree?.close();
  }
}
