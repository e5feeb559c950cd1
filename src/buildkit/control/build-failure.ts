import { create } from '@bufbuild/protobuf';
import { type Any, AnySchema } from '@bufbuild/protobuf/wkt';
import type { BuildDockerfile } from '../../builder/build-progress.ts';
import { asGrpcError, GRPC, GrpcError } from '../grpc/grpc-status.ts';

/** What a failed build's error has beside its message: `BuildError` of the builder. */
export interface FailedAtLines {
  lines: { start: number; end: number } | undefined;
}

/** Details go in a header, in base64 of base64: what is larger goes without its source. */
const MAX_SOURCE_BYTES = 1 << 20;

/** Clients put the names of other codes before the message. */
const PLAIN_CODES: ReadonlySet<number> = new Set([GRPC.canceled, GRPC.unimplemented]);

/** A build's failure for its client, with the lines of the Dockerfile that it belongs to: BuildKit's clients print them. */
export function buildFailure(error: unknown, dockerfile: BuildDockerfile | undefined): GrpcError {
  if (error instanceof GrpcError) return error;
  const { code, message } = asGrpcError(error);
  const lines = linesOf(error);
  const isShown = dockerfile !== undefined && dockerfile.data.length <= MAX_SOURCE_BYTES;
  const details = isShown && lines !== undefined ? [sourceDetail(dockerfile, lines)] : [];
  return new GrpcError(PLAIN_CODES.has(code) ? code : GRPC.unknown, message, details);
}

/** How failures of a kind of request that isn't understood are known. */
export function unsupportedRequest(name: string): GrpcError {
  return new GrpcError(GRPC.unimplemented, `unsupported request ${name}`, [
    detail('errdefs.Subrequest', { name }),
  ]);
}

function linesOf(error: unknown): FailedAtLines['lines'] {
  return error instanceof Error && 'lines' in error ? (error as Error & FailedAtLines).lines : undefined;
}

function sourceDetail({ name, data }: BuildDockerfile, { start, end }: { start: number; end: number }): Any {
  return detail('errdefs.Source', {
    info: { filename: name, data: Buffer.from(data).toString('base64'), language: 'Dockerfile' },
    ranges: [{ start: { line: start }, end: { line: end } }],
  });
}

/** BuildKit's details are JSON under the names of its Go types. */
function detail(type: string, value: object): Any {
  return create(AnySchema, {
    typeUrl: `github.com/moby/buildkit/${type}+json`,
    value: new TextEncoder().encode(JSON.stringify(value)),
  });
}
