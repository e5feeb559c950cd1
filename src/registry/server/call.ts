import type { BlobBackend } from './blob-backend.ts';
import type { UploadPace } from './upload-body.ts';

/** One request, as the endpoints see it. */
export interface RegistryCall {
  backend: BlobBackend;
  request: Request;
  /** Path and query are the request's; the rest is of no meaning. */
  url: URL;
  /** A path of ours as a client of this request reaches it. */
  locate: (path: string) => string;
  /** What a client that sends a body has to keep to. */
  pace: UploadPace;
}
