import { fromBinary } from '@bufbuild/protobuf';
import { BytesMessageSchema, Upload } from '../protocol/generated/upload_pb.ts';
import type { OpenSession } from './session-store.ts';

/** Where clients say that an archive is that they hold, as a URL that nobody else knows: their standard input. */
const UPLOAD_HOST = 'buildkit-session';

/** The path under which the client of a session holds an archive; undefined: the text is no such URL. */
export function uploadPath(context: string): string | undefined {
  const url = URL.parse(context);
  return url?.protocol === 'http:' && url.host === UPLOAD_HOST ? url.pathname : undefined;
}

/** What the client holds there, piece by piece. @throws EngineError as the client refuses it. */
export async function* uploadedArchive(
  { client }: OpenSession,
  path: string,
  { signal }: { signal: AbortSignal },
): AsyncGenerator<Uint8Array> {
  const metadata = { urlpath: path, urlhost: UPLOAD_HOST };
  const stream = client.open(Upload.method.pull, { signal, metadata });
  try {
    stream.finish();
    for await (const message of stream.messages()) yield fromBinary(BytesMessageSchema, message).data;
  } finally {
    stream.close();
  }
}
