import { comparePathBytes } from '../../archive/path-bytes.ts';
import { trimSpace } from '../parser/blank.ts';
import { DockerfileError } from '../parser/dockerfile-error.ts';
import type { DockerfileNode } from '../parser/parsed-dockerfile.ts';
import { readFlags } from './flags.ts';
import type {
  ArgDeclaration,
  ArgInstruction,
  ExposeInstruction,
  Instruction,
  KeyValue,
  OnbuildInstruction,
  ShellInstruction,
  VolumeInstruction,
} from './instruction.ts';
import { commandArguments, docComment, requireOne, requireSome, sourceOf } from './instruction-request.ts';
import { readHealthcheck } from './read-healthcheck.ts';
import { commandLineOf, readRun } from './read-run.ts';
import { readAdd, readCopy } from './read-transfer.ts';
import { didYouMean } from './suggest.ts';

/** All keywords, in capitals. */
export const KEYWORDS: readonly string[] =
  'ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL MAINTAINER ONBUILD RUN SHELL STOPSIGNAL USER VOLUME WORKDIR'.split(
    ' ',
  );

/** Understand one node that is no FROM. @throws DockerfileError without a range, in BuildKit's words. */
export function instructionOf(node: DockerfileNode): Instruction {
  switch (node.keyword.toLowerCase()) {
    case 'add':
      return readAdd(node);
    case 'arg':
      return readArg(node);
    case 'copy':
      return readCopy(node);
    case 'expose':
      return readExpose(node);
    case 'healthcheck':
      return readHealthcheck(node);
    case 'onbuild':
      return readOnbuild(node);
    case 'run':
      return readRun(node);
    case 'shell':
      return readShell(node);
    case 'volume':
      return readVolume(node);
    default:
      return readPlain(node);
  }
}

/** Those of one line each. */
function readPlain(node: DockerfileNode): Instruction {
  const source = sourceOf(node);
  switch (node.keyword.toLowerCase()) {
    case 'cmd':
      readFlags(node.flags);
      return { kind: 'cmd', ...commandLineOf(node) };
    case 'entrypoint':
      readFlags(node.flags);
      return { kind: 'entrypoint', ...commandLineOf(node) };
    case 'env':
      return { kind: 'env', ...source, env: readKeyValues(node, 'ENV') };
    case 'label':
      return { kind: 'label', ...source, labels: readKeyValues(node, 'LABEL') };
    case 'maintainer':
      return { kind: 'maintainer', ...source, maintainer: readOne(node, 'MAINTAINER').toWellFormed() };
    case 'user':
      return { kind: 'user', ...source, user: readOne(node, 'USER') };
    case 'workdir':
      return { kind: 'workdir', ...source, path: readOne(node, 'WORKDIR') };
    case 'stopsignal':
      return { kind: 'stopsignal', ...source, signal: requireOne('STOPSIGNAL', node.args) };
    default: {
      const near = didYouMean(node.keyword, KEYWORDS, false);
      throw new DockerfileError(`unknown instruction: ${node.keyword}${near}`);
    }
  }
}

function readOne(node: DockerfileNode, keyword: string): string {
  const only = requireOne(keyword, node.args);
  readFlags(node.flags);
  return only;
}

function readKeyValues(node: DockerfileNode, keyword: string): KeyValue[] {
  readFlags(node.flags);
  requireSome(keyword, node.args);
  const pairs: KeyValue[] = [];
  for (let at = 0; at < node.args.length; at += 3) {
    const [key = '', value = '', delimiter = ''] = node.args.slice(at, at + 3);
    if (key === '') throw new DockerfileError(`${keyword} names can not be blank`);
    pairs.push({ key, value, legacy: delimiter === '' });
  }
  return pairs;
}

function readArg(node: DockerfileNode): ArgInstruction {
  requireSome('ARG', node.args);
  const args = node.args.map((word): ArgDeclaration => {
    const at = word.indexOf('=');
    if (at === 0) throw new DockerfileError('ARG names can not be blank');
    const key = at < 0 ? word : word.slice(0, at);
    const value = at < 0 ? undefined : word.slice(at + 1);
    return { key, value, docComment: docComment(node.comments, key) };
  });
  return { kind: 'arg', ...sourceOf(node), args };
}

function readExpose(node: DockerfileNode): ExposeInstruction {
  requireSome('EXPOSE', node.args);
  readFlags(node.flags);
  return { kind: 'expose', ...sourceOf(node), ports: node.args.toSorted(comparePathBytes) };
}

function readShell(node: DockerfileNode): ShellInstruction {
  readFlags(node.flags);
  const shell = commandArguments(node.args, node.json);
  requireSome('SHELL', shell);
  if (!node.json) throw new DockerfileError('SHELL requires the arguments to be in JSON form');
  return { kind: 'shell', ...sourceOf(node), shell };
}

function readVolume(node: DockerfileNode): VolumeInstruction {
  requireSome('VOLUME', node.args);
  readFlags(node.flags);
  const volumes = node.args.map(trimSpace);
  if (volumes.includes('')) throw new DockerfileError('VOLUME specified can not be an empty string');
  return { kind: 'volume', ...sourceOf(node), volumes };
}

function readOnbuild(node: DockerfileNode): OnbuildInstruction {
  const { child } = node;
  if (child === undefined) throw new DockerfileError('ONBUILD requires at least one argument');
  readFlags(node.flags);
  const trigger = child.keyword.toUpperCase();
  if (trigger === 'ONBUILD')
    throw new DockerfileError("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  if (trigger === 'MAINTAINER' || trigger === 'FROM') {
    throw new DockerfileError(`${trigger} isn't allowed as an ONBUILD trigger`);
  }
  const line = trimSpace(node.original).replace(/^onbuild\s*/i, '');
  const heredocs = node.heredocs.map(({ name, content }) => `\n${content}${name}`);
  return { kind: 'onbuild', ...sourceOf(node), expression: (line + heredocs.join('')).toWellFormed() };
}
