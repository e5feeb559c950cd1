import { afterEach, beforeEach, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TaskNote, TaskNotes } from './task-notes.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sampan-notes-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const note: TaskNote = {
  handle: {
    id: { containerId: 'c', generation: 3 },
    directory: '/run/tasks/c/3',
    pid: 10,
    pidStartTicks: 1,
    monitorPid: 9,
    monitorStartTicks: 1,
    bootId: 'b',
    terminal: false,
    stdin: false,
    leaveStdinOpen: false,
    runtimePath: '/usr/bin/crun',
  },
  startedAtNano: '1700000000123456789',
  endpoints: [],
  paused: false,
};

test('load() gives what was written, and takes away what is no note', async () => {
  const notes = new TaskNotes(directory);
  notes.write('c', note);
  const { handle: _handle, ...headless } = note;
  const bad = ['', '{"handle":', 'null', '[]', '7', '{}', '{"handle":{"id":{}}}', JSON.stringify(headless)];
  for (const [index, text] of bad.entries()) writeFileSync(join(directory, `bad${index}.json`), text);
  writeFileSync(join(directory, 'c.json.tmp'), '{');
  mkdirSync(join(directory, 'folder.json'));
  const loaded = await notes.load();
  expect([...loaded.keys()]).toEqual(['c']);
  expect(loaded.get('c')?.handle).toEqual(note.handle);
  expect(readdirSync(directory)).toEqual(['c.json']);
});
