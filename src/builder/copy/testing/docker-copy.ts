import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expanded, readTar } from '../../../archive/testing/read-tar.ts';
import type { CopyCase } from './copy-case.ts';
import { instructionOf, makeNodes, nodeLine, tarOf } from './copy-fixture.ts';

/** Result of a case: a listing, or one line `error: …`. */
export type CopyResult = string[];

/** The context's directory of a case, made in `root`. */
export async function makeContext(root: string, { files, archives, from }: CopyCase): Promise<string> {
  const context = join(root, 'context');
  mkdirSync(context);
  if (from !== true) makeNodes(context, files);
  for (const [name, members] of Object.entries(archives ?? {})) {
    const tar = await tarOf(members);
    writeFileSync(join(context, name), name.endsWith('.gz') ? gzipSync(tar) : tar);
  }
  return context;
}

/** Let Docker (with buildx, `DOCKER_CONFIG` naming a folder that has it) build the case and list what it made. */
export async function dockerCopy(test: CopyCase): Promise<CopyResult> {
  const root = mkdtempSync(join(tmpdir(), 'copy-docker-'));
  const images: string[] = [];
  const base = async (lines: readonly string[]): Promise<string> => {
    if (lines.length === 0) return 'scratch';
    const image = `room-copying-${Bun.hash(lines.join('\n')).toString(36)}`;
    const folder = mkdtempSync(join(root, 'image-'));
    writeFileSync(join(folder, 'files.tar'), await tarOf(lines));
    writeFileSync(join(folder, 'Dockerfile'), 'FROM scratch\nADD files.tar /\n');
    await docker(['build', '-q', '-t', image, '--load', folder]);
    images.push(image);
    return image;
  };
  try {
    const context = await makeContext(root, test);
    const source = await base(test.from === true ? test.files : []);
    const parent = await base(test.parent);
    const dockerfile = [
      ...(test.from === true ? [`FROM ${source} AS src`] : []),
      `FROM ${parent}`,
      ...(test.workdir === undefined ? [] : [`WORKDIR ${test.workdir}`]),
      instructionOf(test),
    ];
    const file = join(root, 'Dockerfile');
    writeFileSync(file, `${dockerfile.join('\n')}\n`);
    const output = join(root, 'out.tar');
    const failure = await docker([
      'build',
      '--progress=plain',
      '-f',
      file,
      '--output',
      `type=tar,dest=${output}`,
      context,
    ]);
    return failure === undefined ? listTar(await Bun.file(output).bytes()) : [`error: ${failure}`];
  } finally {
    if (images.length > 0) await docker(['image', 'rm', '-f', ...images]);
    rmSync(root, { recursive: true, force: true });
  }
}

/** The reason, where it fails. */
async function docker(words: readonly string[]): Promise<string | undefined> {
  const command = words[0] === 'build' ? ['docker', 'buildx', ...words] : ['docker', ...words];
  const child = Bun.spawn(command, { stdout: 'ignore', stderr: 'pipe', env: process.env });
  const errors = await new Response(child.stderr).text();
  if ((await child.exited) === 0) return undefined;
  return /ERROR: failed to (?:solve|build): (.*)/.exec(errors)?.[1] ?? errors;
}

function listTar(bytes: Uint8Array): string[] {
  const members = readTar(bytes);
  const byPath = new Map(members.map((member) => [member.path, member]));
  const lines = members.flatMap((member) => {
    if (member.path === '') return [];
    const target = member.type === 'hardlink' ? byPath.get(member.linkTarget) : member;
    if (target === undefined) return [`${member.path} links to nothing`];
    const { type, mode, uid, gid, linkTarget } = target;
    const first = member.type === 'hardlink' ? member.linkTarget : undefined;
    return [
      nodeLine({ path: member.path, type, mode, uid, gid, linkTarget, content: expanded(target), first }),
    ];
  });
  return lines.sort();
}
