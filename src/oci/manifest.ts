import type { Descriptor } from './descriptor.ts';

/** OCI image manifest or Docker schema 2 manifest, decoded and checked. */
export interface Manifest {
  mediaType: string;
  config: Descriptor;
  layers: Descriptor[];
  annotations?: Record<string, string>;
  subject?: Descriptor;
  artifactType?: string;
}

/** OCI index or Docker manifest list, decoded and checked. */
export interface Index {
  mediaType: string;
  manifests: Descriptor[];
  annotations?: Record<string, string>;
}
