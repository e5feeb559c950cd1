import { chmodSync, lchownSync, linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TarMember } from '../../../archive/tar-writer.ts';
import { writeTar } from '../../../archive/tar-writer.ts';
import { openLayerSink } from '../../../snapshots/layer-sink.ts';
import type { LayerPlace } from '../../../snapshots/snapshotter.ts';
import type { FileNode } from '../../sources/file-node.ts';
import type { CopyCase, NodeLine } from './copy-case.ts';

interface ParsedNode {
  kind: 'd' | 'f' | 'l' | 'h';
  path: string;
  mode: number;
  uid: number;
  gid: number;
  /** Content, or what a link leads to. */
  text: string;
}

export function parseNode(line: NodeLine): ParsedNode {
  const link = /^([lh]) (\S+) (.*)$/s.exec(line);
  if (link !== null)
    return { kind: link[1] as 'l', path: link[2] ?? '', mode: 0o777, uid: 0, gid: 0, text: link[3] ?? '' };
  const [, kind, mode = '', uid, gid, path = '', text = ''] =
    /^([df]) (\d+) (\d+):(\d+) (\S+) ?(.*)$/s.exec(line) ?? [];
  return {
    kind: kind as 'd',
    path,
    mode: Number.parseInt(mode, 8),
    uid: Number(uid),
    gid: Number(gid),
    text,
  };
}

/** The nodes below the directory `root`, which exists. Needs root for owners. */
export function makeNodes(root: string, lines: readonly NodeLine[]): void {
  for (const { kind, path, mode, uid, gid, text } of lines.map(parseNode)) {
    const place = join(root, path);
    if (kind === 'l') symlinkSync(text, place);
    else if (kind === 'h') linkSync(join(root, text), place);
    else {
      if (kind === 'd') mkdirSync(place);
      else writeFileSync(place, text);
      lchownSync(place, uid, gid);
      chmodSync(place, mode);
    }
  }
}

const types = { d: 'directory', f: 'file', l: 'symlink', h: 'hardlink' } as const;

export async function tarOf(lines: readonly NodeLine[]): Promise<Buffer> {
  const nodes = lines.map(parseNode);
  const members = nodes.map(({ kind, text, ...own }) => {
    const target = kind === 'h' ? nodes.find(({ path }) => path === text) : undefined;
    const node = target === undefined ? own : { ...target, path: own.path };
    const data = kind === 'f' ? [Buffer.from(text)] : undefined;
    const entry: TarMember = { ...node, type: types[kind], size: data?.[0]?.length ?? 0, linkTarget: text };
    return { entry, data };
  });
  const chunks: Uint8Array[] = [];
  for await (const chunk of writeTar(members)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** A layer of an image with these nodes, in `directory`. */
export async function layerOf(directory: string, lines: readonly NodeLine[]): Promise<LayerPlace> {
  const sink = await openLayerSink({ driver: 'erofs', directory });
  await sink.write(await tarOf(lines));
  await sink.finish();
  return placeOfStage(directory);
}

/** A finished stage, as a layer to be read. */
export function placeOfStage(directory: string): LayerPlace {
  return {
    driver: 'erofs',
    index: join(directory, 'index.erofs'),
    data: [join(directory, 'layer.tar'), join(directory, 'layer.side')],
    opaqueRoot: false,
  };
}

/** `type mode uid:gid path -> target | content's digest` of everything below, and which names are one file. */
export function listing(root: FileNode): string[] {
  const lines: string[] = [];
  const firsts = new Map<string, string>();
  const walk = (node: FileNode, path: string): void => {
    if (path !== '') lines.push(lineOf(node, path, firsts));
    for (const name of node.names()) {
      const child = node.child(name);
      if (child !== undefined) walk(child, path === '' ? name : `${path}/${name}`);
    }
  };
  walk(root, '');
  return lines.sort();
}

function lineOf(node: FileNode, path: string, firsts: Map<string, string>): string {
  const { type, mode, uid, gid, linkTarget } = node.attributes();
  const first = node.type === 'file' && node.links > 1 ? firsts.get(node.key) : undefined;
  if (node.links > 1 && first === undefined) firsts.set(node.key, path);
  return nodeLine({
    path,
    type,
    mode,
    uid,
    gid,
    linkTarget: linkTarget ?? '',
    content: contentOf(node),
    first,
  });
}

export interface ListedNode {
  path: string;
  type: string;
  mode: number;
  uid: number;
  gid: number;
  linkTarget: string;
  content: Uint8Array;
  first: string | undefined;
}

export function nodeLine({ path, type, mode, uid, gid, linkTarget, content, first }: ListedNode): string {
  const name = path.length > 100 ? `${path.slice(0, 20)}…${path.length}` : path;
  const bits = type === 'symlink' ? '' : ` ${mode.toString(8)}`;
  const tail =
    type === 'symlink'
      ? ` -> ${linkTarget}`
      : type === 'file'
        ? ` ${Bun.hash(content).toString(36)}${first === undefined ? '' : ` = ${first}`}`
        : '';
  return `${name} ${type}${bits} ${uid}:${gid}${tail}`;
}

function contentOf(node: FileNode): Buffer {
  if (node.type !== 'file') return Buffer.alloc(0);
  const bytes = Buffer.alloc(node.size);
  const content = node.open();
  content.read(bytes, 0, bytes.length, 0);
  content.close();
  return bytes;
}

/** The instruction as it stands in a Dockerfile. */
export function instructionOf({
  command = 'COPY',
  flags = {},
  from,
  sources,
  destination,
}: CopyCase): string {
  const words = [command as string];
  if (from === true) words.push('--from=src');
  if (flags.chown !== undefined) words.push(`--chown=${flags.chown}`);
  if (flags.chmod !== undefined) words.push(`--chmod=${flags.chmod}`);
  if (flags.parents === true) words.push('--parents');
  if (flags.link === true) words.push('--link');
  if (flags.unpack !== undefined) words.push(`--unpack=${flags.unpack}`);
  for (const pattern of flags.exclude ?? []) words.push(`--exclude=${pattern}`);
  return [...words, ...sources, destination].join(' ');
}
