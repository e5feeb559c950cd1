#!/usr/bin/env node
// Holds every import of src/ against deps.json: which room may import which (`room:types`: its types alone), and who may
// touch bun:* or spawn.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseSync, Visitor } from 'oxc-parser';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const allowed = JSON.parse(readFileSync(join(root, 'deps.json'), 'utf8'));
const BUN_MODULES = new Set(['sys', 'storage']);
const NO_BUN_GLOBAL = new Set(['errors', 'oci', 'wire', 'erofs', 'client']);
const problems = [];

const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard', 'src'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file.endsWith('.ts') && existsSync(join(root, file)));
let read = 0;

for (const file of files) {
  const text = readFileSync(join(root, file), 'utf8');
  const { program, errors } = parseSync(file, text);
  if (errors.length > 0) problems.push(`${file}: does not parse: ${errors[0].message}`);
  read++;
  const room = file.split('/')[1];
  const isTest = file.endsWith('.test.ts') || file.includes('/testing/');
  const check = (specifier, typesOnly = false) => checkImport({ file, room, specifier, isTest, typesOnly });
  new Visitor({
    ImportDeclaration: (node) => check(node.source.value, node.importKind === 'type'),
    ExportNamedDeclaration: (node) => node.source && check(node.source.value, node.exportKind === 'type'),
    ExportAllDeclaration: (node) => check(node.source.value),
    ImportExpression: (node) => node.source.type === 'Literal' && check(node.source.value),
    TSImportType: (node) => check(node.source?.value ?? node.argument?.literal?.value ?? ''),
    NewExpression: (node) => {
      if (
        node.callee.name === 'URL' &&
        node.arguments[0]?.type === 'Literal' &&
        /^\.{1,2}\//.test(node.arguments[0].value)
      )
        check(node.arguments[0].value);
    },
    MemberExpression: (node) => {
      if (node.object.type !== 'Identifier' || node.object.name !== 'Bun' || isTest) return;
      if (NO_BUN_GLOBAL.has(room)) problems.push(`${file}: ${room} must not use Bun.*`);
      const name = node.property.name;
      if ((name === 'spawn' || name === 'spawnSync' || name === 'listen') && room !== 'sys')
        problems.push(`${file}: Bun.${name} only in sys`);
    },
  }).visit(program);
}

function checkImport({ file, room, specifier, isTest, typesOnly }) {
  if (specifier.startsWith('bun:') && specifier !== 'bun:test' && !BUN_MODULES.has(room))
    problems.push(`${file}: only sys and storage import ${specifier}`);
  if (specifier === 'bun:test' && !isTest) problems.push(`${file}: bun:test outside a test`);
  // The client's side for Node runs ssh, and has no sys.
  const spawns = room === 'sys' || file.startsWith('src/client/node/') || isTest;
  if ((specifier === 'node:child_process' || specifier === 'child_process') && !spawns)
    problems.push(`${file}: spawn only in sys`);
  if (!specifier.startsWith('.')) return;
  const target = relative(join(root, 'src'), resolve(root, dirname(file), specifier));
  if (target === '../package.json') return;
  if (target.startsWith('..')) {
    if (!isTest) problems.push(`${file}: imports ${specifier}, outside src`);
    return;
  }
  const other = target.split('/')[0];
  if (other === room || !room.match(/^[a-z]+$/)) return;
  const list = allowed[room];
  if (list === undefined) problems.push(`${file}: room ${room} is not in deps.json`);
  else if (!list.includes('*') && !list.includes(other) && !(typesOnly && list.includes(`${other}:types`)))
    problems.push(`${file}: ${room} may not import ${other} (${specifier})`);
}

if (read !== files.length || read === 0) problems.push(`read ${read} of ${files.length} files`);
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exit(1);
console.log(`check-deps: ${read} files, no forbidden import`);
