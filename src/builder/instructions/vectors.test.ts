import { describe, expect, test } from 'bun:test';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError } from '../../errors/engine-error.ts';
import { parseDockerfile } from '../parser/parse-dockerfile.ts';
import type { DockerfileNode } from '../parser/parsed-dockerfile.ts';
import { dumpNodes } from '../parser/testing/dump.ts';
import type { Dockerfile } from './dockerfile.ts';
import type { CommandLine, FileTransfer, Instruction, KeyValue } from './instruction.ts';
import { readInstructions } from './read-instructions.ts';

const vectors = join(import.meta.dir, '../../../../shared/vectors/dockerfiles.jsonl');

interface Vector {
  name: string;
  text: string;
  parse: { nodes?: { flags: string[] | null }[] };
  instructions: unknown;
}

function rows(): Vector[] {
  return readFileSync(vectors, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Vector);
}

function refusal(error: unknown): { error: string } {
  if (error instanceof EngineError && error.kind === 'invalid') return { error: error.message };
  throw error;
}

function parseView(text: string): unknown {
  try {
    const parsed = parseDockerfile(text);
    return {
      dump: dumpNodes(parsed.nodes),
      escape: parsed.escapeToken,
      nodes: parsed.nodes.map(nodeView),
      warnings: parsed.warnings.map((warning) => warning.short),
    };
  } catch (error) {
    return refusal(error);
  }
}

function nodeView(node: DockerfileNode): unknown {
  return {
    args: node.child === undefined ? node.args : [''],
    cmd: node.keyword,
    end: node.range.endLine,
    flags: node.flags,
    heredocs: node.heredocs.map(({ name, content, chomp, expand }) => ({ name, content, chomp, expand })),
    json: node.json,
    start: node.range.startLine,
  };
}

function instructionsView(text: string): unknown {
  try {
    return dockerfileView(readInstructions(parseDockerfile(text)));
  } catch (error) {
    return refusal(error);
  }
}

function dockerfileView({ metaArgs, stages }: Dockerfile): unknown {
  return {
    metaargs: orNull(metaArgs.map((arg) => fieldsOf(arg))),
    stages: stages.map(({ base, name, platform, instructions }) => ({
      base,
      name,
      platform,
      commands: instructions.map((each) => ({ name: each.keyword, v: fieldsOf(each) })),
    })),
  };
}

/** Go writes an empty list that was never made as null. */
const orNull = <T>(list: readonly T[]): readonly T[] | null => (list.length === 0 ? null : list);
const pairs = (list: readonly KeyValue[]) =>
  list.map(({ key, value, legacy }) => ({ Key: key, Value: value, NoDelim: legacy }));
const files = ({ commandLine, files, prependShell }: CommandLine) => ({
  CmdLine: commandLine,
  Files: orNull(files.map(({ name, data, chomp }) => ({ Name: name, Data: data, Chomp: chomp }))),
  PrependShell: prependShell,
});
const transfer = (each: FileTransfer) => ({
  DestPath: each.destination,
  SourcePaths: orNull(each.sources),
  SourceContents: orNull(
    each.contents.map(({ path, data, expand }) => ({ Path: path, Data: data, Expand: expand })),
  ),
  Chown: each.chown,
  Chmod: each.chmod,
  Link: each.link,
  ExcludePatterns: orNull(each.exclude),
});

function fieldsOf(each: Instruction): unknown {
  switch (each.kind) {
    case 'run':
      return { ...files(each), FlagsUsed: each.flagsUsed };
    case 'cmd':
    case 'entrypoint':
      return files(each);
    case 'copy':
      return { ...transfer(each), From: each.from, Parents: each.parents };
    case 'add': {
      const { checksum, keepGitDir = null, unpack = null } = each;
      return { ...transfer(each), Checksum: checksum, KeepGitDir: keepGitDir, Unpack: unpack };
    }
    case 'arg':
      return {
        Args: each.args.map(({ key, value = null, docComment }) => ({
          Key: key,
          Value: value,
          DocComment: docComment,
        })),
      };
    case 'env':
      return { Env: pairs(each.env) };
    case 'label':
      return { Labels: pairs(each.labels) };
    default:
      return plainFields(each);
  }
}

function plainFields(each: Instruction): unknown {
  switch (each.kind) {
    case 'maintainer':
      return { Maintainer: each.maintainer };
    case 'expose':
      return { Ports: each.ports };
    case 'user':
      return { User: each.user };
    case 'volume':
      return { Volumes: each.volumes };
    case 'workdir':
      return { Path: each.path };
    case 'shell':
      return { Shell: each.shell };
    case 'stopsignal':
      return { Signal: each.signal };
    case 'onbuild':
      return { Expression: each.expression };
    default:
      throw new Error(`no vector has ${each.kind} so far`);
  }
}

if (!existsSync(vectors)) {
  test('the Dockerfiles of public repositories are not here: own cases only', () => undefined);
} else {
  describe('Dockerfiles of public repositories', () => {
    test('parse as BuildKit parses them', () => {
      const all = rows();
      expect(all.length).toBeGreaterThan(0);
      for (const { name, text, parse } of all) {
        // Go's null is the empty list that was never made: of a keyword without anything behind it.
        for (const node of parse.nodes ?? []) node.flags ??= [];
        expect({ name, parse: parseView(text) } as unknown).toEqual({ name, parse });
      }
    });

    test('are understood as BuildKit understands them', () => {
      for (const { name, text, instructions } of rows()) {
        expect({ name, instructions: instructionsView(text) } as unknown).toEqual({ name, instructions });
      }
    });
  });
}
