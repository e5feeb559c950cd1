import type { ContentStore } from '../../content/content-store.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Reference } from '../../oci/reference.ts';
import type { RegistryPushClient } from '../../registry/client/push-client.ts';
import type { RegistryConfig, RegistryCredentials } from '../../registry/client/registry-client.ts';

/** One blob's way to a registry. Plain data: it is run whole in a worker thread. */
export interface UploadJob {
  contentRoot: string;
  registry: RegistryConfig;
  repository: Reference;
  credentials: RegistryCredentials | undefined;
  tlsVerify: boolean | undefined;
  blob: Pick<Descriptor, 'digest' | 'size'>;
}

/** Bytes that the registry has, or a pause before another attempt. */
export type UploadProgress = { sentBytes: number } | { pauseMs: number };

export interface UploadPorts {
  content: ContentStore;
  registry: RegistryPushClient;
  signal: AbortSignal;
  progress: (progress: UploadProgress) => void;
}

/** @throws as RegistryPushClient. */
export async function runUploadJob(job: UploadJob, ports: UploadPorts): Promise<void> {
  const { content, registry, signal, progress } = ports;
  await registry.uploadBlob(
    job.repository,
    { descriptor: job.blob, open: (start) => content.stream(job.blob.digest, { start }) },
    {
      signal,
      credentials: job.credentials,
      tlsVerify: job.tlsVerify,
      onProgress: (sentBytes) => progress({ sentBytes }),
      onRetry: (pauseMs) => progress({ pauseMs }),
    },
  );
}
