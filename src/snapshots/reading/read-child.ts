// Reads a root file system for `readRoot`: a process with a mount namespace of its own whose root it becomes (synchronous calls alone: see `ownMounts`), so that whatever links a container has made
// there, none leads out. The answer goes to stdout, an error as JSON to stderr.
import { readFileSync, writeSync } from 'node:fs';
import { serializeError } from '../../errors/engine-error.ts';
import { enterRoot, ownMounts } from '../../sys/enter-root.ts';
import { isOpaque, isWhiteout, nodeAttributes } from '../node-attributes.ts';
import { layOutRoot } from '../root-layout.ts';
import type { SnapshotView } from '../snapshotter.ts';
import { mountView } from './mount-view.ts';
import { type ReadRequest, requestFd, type WrittenNode } from './read-request.ts';
import { RootTar } from './root-tar.ts';
import { isGone, type WalkedNode, walkRoot } from './root-walk.ts';

function output(bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(1, bytes, at);
}

function list(): void {
  for (const node of walkRoot(() => false)) {
    try {
      output(Buffer.from(`${JSON.stringify(writtenNode(node))}\n`));
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }
}

function writtenNode({ path, stat }: WalkedNode): WrittenNode {
  const isDirectory = stat.isDirectory();
  const { mode, uid, gid, mtimeSeconds, mtimeNanoseconds, size } = nodeAttributes(`/${path}`, stat);
  return {
    path,
    type: isWhiteout(stat) ? 'whiteout' : isDirectory ? 'directory' : 'other',
    opaque: isDirectory && isOpaque(`/${path}`),
    mode,
    uid,
    gid,
    mtimeSeconds,
    mtimeNanoseconds,
    size,
  };
}

function viewed(request: ReadRequest, view: SnapshotView): string {
  const laidOut = request.form === 'tree' && request.laidOut === true;
  const root = mountView(view, { scratch: laidOut });
  if (laidOut) layOutRoot(root);
  return root;
}

try {
  const request = JSON.parse(readFileSync(requestFd, 'utf8')) as ReadRequest;
  ownMounts();
  enterRoot(typeof request.root === 'string' ? request.root : viewed(request, request.root));
  if (request.form === 'list') list();
  else {
    const skip = new Set(request.form === 'layer' ? request.skip : []);
    const idMap = request.form === 'tree' ? request.idMap : undefined;
    const tar = new RootTar(output, { layer: request.form === 'layer', mapOf: () => idMap });
    if (request.form === 'tree' && request.withRoot === true) tar.root();
    tar.write((path) => skip.has(path));
  }
} catch (error) {
  writeSync(2, JSON.stringify(serializeError(error)));
  process.exit(1);
}
