import { create } from '@bufbuild/protobuf';
import { type Any, AnySchema } from '@bufbuild/protobuf/wkt';
import type { BuildDockerfile } from '../../builder/build-progress.ts';
import { asGrpcError, GRPC, GrpcError } from '../grpc/grpc-status.ts';

/** What a failed build's error has beside its message: `BuildError` of the builder. */
export interface FailedAtLines {
  lines: { start: number; end: number } | undefined;
}

/** Details go in a header, in base64 of base64: of what is larger only the lines go that are shown. */
const MAX_SOURCE_BYTES = 12 << 10;
/** Clients show four lines before and after at most. */
const SHOWN_AROUND = 4;

/** Clients put the names of other codes before the message. */
const PLAIN_CODES: ReadonlySet<number> = new Set([GRPC.canceled, GRPC.unimplemented]);

/** A build's failure for its client, with the lines of the Dockerfile that it belongs to: BuildKit's clients print them. */
export function buildFailure(error: unknown, dockerfile: BuildDockerfile | undefined): GrpcError {
  if (error instanceof GrpcError) return error;
  const { code, message } = asGrpcError(error);
  const lines = linesOf(error);
  const details = dockerfile === undefined || lines === undefined ? [] : sourceDetails(dockerfile, lines);
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

function sourceDetails({ name, data }: BuildDockerfile, lines: { start: number; end: number }): Any[] {
  const shown = data.length <= MAX_SOURCE_BYTES ? Buffer.from(data) : shownLines(data, lines);
  if (shown.length > MAX_SOURCE_BYTES) return [];
  const source = {
    info: { filename: name, data: shown.toString('base64'), language: 'Dockerfile' },
    ranges: [{ start: { line: lines.start }, end: { line: lines.end } }],
  };
  return [detail('errdefs.Source', source)];
}

/** The others are empty, so that the numbers stay right. */
function shownLines(data: Uint8Array, { start, end }: { start: number; end: number }): Buffer {
  const [first, last] = [start - SHOWN_AROUND, end + SHOWN_AROUND];
  const lines = Buffer.from(data).toString('utf8').split('\n');
  return Buffer.from(lines.map((line, at) => (at + 1 >= first && at + 1 <= last ? line : '')).join('\n'));
}

/** BuildKit's details are JSON under the names of its Go types. */
function detail(type: string, value: object): Any {
  return create(AnySchema, {
    typeUrl: `github.com/moby/buildkit/${type}+json`,
    value: new TextEncoder().encode(JSON.stringify(value)),
  });
}
