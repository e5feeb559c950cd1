#!/usr/bin/env node
// What of a built checkout the engine runs on, a path a line: for images that are to hold nothing else.
import { dirname, relative } from 'node:path';
import { findBun, root } from '../toolchain.mjs';
import { runtimeClosure } from './runtime-modules.mjs';

const bun = dirname(dirname(relative(root, findBun())));
console.log(['bin', 'dist', 'package.json', 'src', bun, ...runtimeClosure()].join('\n'));
