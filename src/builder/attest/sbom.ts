import { EngineError } from '../../errors/engine-error.ts';
import { familiarName } from '../../oci/reference.ts';
import type { Attestation } from '../export/image-documents.ts';
import type { InstalledPackage, SystemRelease } from './installed-packages.ts';
import { type Subject, statementOf } from './statement.ts';

const SPDX = 'https://spdx.dev/Document';

/** `--sbom`'s attributes: our own reading of package databases is the only generator. @throws EngineError "not-implemented". */
export function checkSbomOptions(attributes: Readonly<Record<string, string>>): void {
  const { generator = '' } = attributes;
  if (generator !== '')
    throw new EngineError(
      'not-implemented',
      `SBOM generator ${JSON.stringify(generator)} is not implemented`,
      {
        hint: 'leave it out: packages are read from the databases of dpkg and apk',
      },
    );
}

/** The packages of an image as an SPDX 2.3 document. */
export function sbomOf(
  packages: readonly InstalledPackage[],
  release: SystemRelease | undefined,
  about: Subject & { created: string },
): Attestation {
  const [reference] = about.references;
  const name = reference === undefined ? about.manifest.digest : familiarName(reference);
  const described = packages.map((one, at) => spdxPackage(one, release, at));
  const document = {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name,
    documentNamespace: `https://sampan.local/spdx/${about.manifest.digest.replace(':', '-')}`,
    creationInfo: { created: about.created, creators: ['Tool: sampan'] },
    packages: [imagePackage(name, about), ...described],
    relationships: [
      {
        spdxElementId: 'SPDXRef-DOCUMENT',
        relatedSpdxElement: 'SPDXRef-Image',
        relationshipType: 'DESCRIBES',
      },
      ...described.map(({ SPDXID }) => ({
        spdxElementId: 'SPDXRef-Image',
        relatedSpdxElement: SPDXID,
        relationshipType: 'CONTAINS',
      })),
    ],
  };
  return statementOf(SPDX, document, about);
}

function imagePackage(name: string, { manifest }: Subject): object {
  return {
    name,
    SPDXID: 'SPDXRef-Image',
    versionInfo: manifest.digest,
    downloadLocation: 'NOASSERTION',
    licenseConcluded: 'NOASSERTION',
    licenseDeclared: 'NOASSERTION',
    copyrightText: 'NOASSERTION',
    primaryPackagePurpose: 'CONTAINER',
    filesAnalyzed: false,
  };
}

function spdxPackage(one: InstalledPackage, release: SystemRelease | undefined, at: number) {
  return {
    name: one.name,
    SPDXID: `SPDXRef-Package-${one.type}-${one.name.replace(/[^A-Za-z0-9.-]/g, '-')}-${at}`,
    versionInfo: one.version,
    ...(one.maintainer === undefined ? {} : { supplier: `Person: ${one.maintainer}` }),
    downloadLocation: 'NOASSERTION',
    filesAnalyzed: false,
    sourceInfo: `acquired package info from ${one.type === 'deb' ? 'DPKG' : 'APK'} DB`,
    licenseConcluded: 'NOASSERTION',
    licenseDeclared: 'NOASSERTION',
    ...(one.license === undefined ? {} : { licenseComments: one.license }),
    copyrightText: 'NOASSERTION',
    externalRefs: [
      {
        referenceCategory: 'PACKAGE-MANAGER',
        referenceType: 'purl',
        referenceLocator: purlOf(one, release),
      },
    ],
  };
}

/** `pkg:deb/debian/bash@5.2.15-2+b2?arch=amd64&distro=debian-12` */
function purlOf(one: InstalledPackage, release: SystemRelease | undefined): string {
  const namespace = release?.id || (one.type === 'deb' ? 'debian' : 'alpine');
  const qualifiers = [
    ...(one.architecture === '' ? [] : [`arch=${encodeURIComponent(one.architecture)}`]),
    ...(one.source === undefined || one.source === one.name
      ? []
      : [`upstream=${encodeURIComponent(one.source)}`]),
    ...(release === undefined || release.version === ''
      ? []
      : [`distro=${encodeURIComponent(`${namespace}-${release.version}`)}`]),
  ];
  const query = qualifiers.length === 0 ? '' : `?${qualifiers.join('&')}`;
  return `pkg:${one.type}/${encodeURIComponent(namespace)}/${encodeURIComponent(one.name)}@${encodeURIComponent(one.version)}${query}`;
}
