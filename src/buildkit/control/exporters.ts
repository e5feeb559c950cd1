import type { BuildOutput } from '../../builder/build-request.ts';
import type { OutputSink } from '../../builder/build-session.ts';
import { EngineError } from '../../errors/engine-error.ts';
import type { SolveRequest } from '../protocol/generated/control_pb.ts';
import { DirectoryOutput } from '../session/directory-output.ts';
import { ArchiveOutput } from '../session/file-output.ts';
import type { OpenSession } from '../session/session-store.ts';

export interface Exports {
  outputs: BuildOutput[];
  /** By the outputs' ids. */
  sinks: Map<string, OutputSink>;
}

/** Where the results of a build go. Clients of before several exporters name one. @throws EngineError "invalid". */
export function exportsOf(
  request: Pick<SolveRequest, 'exporters' | 'exporter' | 'exporterAttrs'>,
  session: OpenSession | undefined,
  scratch: string,
): Exports {
  const exporters =
    request.exporters.length > 0
      ? request.exporters
      : request.exporter === ''
        ? []
        : [{ type: request.exporter, attrs: request.exporterAttrs }];
  const exported: Exports = { outputs: [], sinks: new Map() };
  for (const [at, { type, attrs }] of exporters.entries()) {
    const id = String(at);
    exported.outputs.push(outputOf(type, { id, attributes: attrs }));
    if (session === undefined) continue;
    exported.sinks.set(
      id,
      type === 'local' ? new DirectoryOutput(session, id, scratch) : new ArchiveOutput(session, id, {}),
    );
  }
  return exported;
}

function outputOf(
  type: string,
  { id, attributes }: { id: string; attributes: Record<string, string> },
): BuildOutput {
  const names = (attributes.name ?? '').split(',').filter(Boolean);
  switch (type) {
    case 'moby':
    case 'image':
      return {
        type: 'image',
        names,
        push: isTrue(attributes.push),
        store: attributes.store === undefined || isTrue(attributes.store),
        attributes,
      };
    case 'local':
    case 'tar':
    case 'oci':
    case 'docker':
      return { type, id, names, attributes };
    default:
      throw new EngineError('invalid', `exporter ${JSON.stringify(type)} could not be found`);
  }
}

function isTrue(text: string | undefined): boolean {
  return text !== undefined && /^(1|t|true|T|TRUE|True)$/.test(text);
}
