import { closeSync, openSync, readSync } from 'node:fs';
import type { NodeAttributes } from '../../archive/tree.ts';
import { EngineError } from '../../errors/engine-error.ts';
import type { LayerNode } from '../../snapshots/layer-node.ts';
import { fsPath } from '../../snapshots/node-attributes.ts';

const PIECE_BYTES = 256 * 1024;

/** Whether two nodes are alike in all but content and times. */
export function haveSameAttributes(a: NodeAttributes, b: NodeAttributes): boolean {
  return (
    a.type === b.type &&
    a.mode === b.mode &&
    a.uid === b.uid &&
    a.gid === b.gid &&
    a.size === b.size &&
    a.linkTarget === b.linkTarget &&
    a.deviceMajor === b.deviceMajor &&
    a.deviceMinor === b.deviceMinor &&
    a.xattrs.size === b.xattrs.size &&
    [...a.xattrs].every(([name, value]) => Buffer.compare(value, b.xattrs.get(name) ?? Buffer.alloc(0)) === 0)
  );
}

/** Whether two files of one size have the same content. Nodes of any other kind have. Yields between pieces. */
export function* haveSameBytes(a: LayerNode, b: LayerNode): Generator<undefined, boolean> {
  const left = a.content();
  const right = b.content();
  if (left === undefined || right === undefined) return left === right;
  if (left.file === right.file && left.start === right.start) return true;
  const open: number[] = [];
  try {
    const files = [left, right].map(({ file, start }) => {
      const fd = openSync(fsPath(file), 'r');
      open.push(fd);
      return { fd, start, piece: Buffer.allocUnsafe(Math.min(PIECE_BYTES, a.size)) };
    });
    for (let at = 0; at < a.size; at += PIECE_BYTES) {
      const length = Math.min(PIECE_BYTES, a.size - at);
      const [one, other] = files.map(({ fd, start, piece }) =>
        readWhole(fd, piece.subarray(0, length), start + at),
      );
      if (one === undefined || other === undefined || !one.equals(other)) return false;
      yield undefined;
    }
    return true;
  } finally {
    for (const fd of open) closeSync(fd);
  }
}

function readWhole(fd: number, into: Buffer, position: number): Buffer {
  for (let at = 0; at < into.length; ) {
    const count = readSync(fd, into, at, into.length - at, position + at);
    if (count === 0)
      throw new EngineError('internal', 'Cannot compare images: a layer is shorter than its index says');
    at += count;
  }
  return into;
}
