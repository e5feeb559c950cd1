import { RegistryRefusal } from './refusal.ts';

export interface UploadPace {
  /** In so much time of waiting for the client, … */
  windowMs: number;
  /** … so many bytes have to come; a client that sends slower is cut off. */
  minBytes: number;
}

/**
 * A request's body, from a client that keeps a minimum pace. Only the time spent waiting for it counts.
 *
 * @throws RegistryRefusal 408
 */
export async function* pacedBody(
  body: ReadableStream<Uint8Array> | null,
  pace: UploadPace,
): AsyncGenerator<Uint8Array> {
  if (body === null) return;
  const reader = body.getReader();
  let [waitedMs, bytes] = [0, 0];
  let pending: ReturnType<typeof reader.read> | undefined;
  try {
    for (;;) {
      const since = performance.now();
      pending ??= reader.read();
      const next = await within(pending, pace.windowMs - waitedMs);
      waitedMs += performance.now() - since;
      if (next?.done === true) return;
      bytes += next?.value.length ?? 0;
      if (waitedMs >= pace.windowMs) {
        if (bytes < pace.minBytes)
          throw new RegistryRefusal(408, 'BLOB_UPLOAD_INVALID', 'the upload is too slow');
        [waitedMs, bytes] = [0, 0];
      }
      if (next === undefined) continue;
      pending = undefined;
      yield next.value;
    }
  } finally {
    pending?.catch(() => undefined);
    reader.cancel().catch(() => undefined);
  }
}

/** Undefined when the time is up first. */
async function within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), Math.max(ms, 1));
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
