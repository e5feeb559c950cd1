#!/usr/bin/env node
// Makes src/buildkit/protocol/generated from the .proto files beside it. Wants protoc (Debian: protobuf-compiler); what it makes is committed.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { bin, root } from './toolchain.mjs';

const source = join(root, 'src/buildkit/protocol');
const target = join(source, 'generated');
rmSync(target, { recursive: true, force: true });
mkdirSync(target);
const protos = readdirSync(source).filter((name) => name.endsWith('.proto'));
const { status, error } = spawnSync(
  'protoc',
  [
    `-I${source}`,
    `--plugin=protoc-gen-es=${bin('protoc-gen-es')}`,
    `--es_out=${target}`,
    '--es_opt=target=ts,import_extension=ts,erasable_syntax=true',
    ...protos,
  ],
  { stdio: 'inherit' },
);
if (error !== undefined) console.error(`protoc: ${error.message} (apt-get install protobuf-compiler)`);
process.exit(status ?? 1);
