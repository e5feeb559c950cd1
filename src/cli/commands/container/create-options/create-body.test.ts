import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringifyJson } from '../../../../wire/json.ts';
import type { CliContext } from '../../../context.ts';
import { parseFlags } from '../../../flags/flag-set.ts';
import { command } from '../run.ts';
import { createBody } from './create-body.ts';
import recorded from './recorded-bodies.json' with { type: 'json' };

// What the stock client (28.2, API 1.50) sends for each command line: `base` for `run busybox`, and how the others differ from it.
const dir = mkdtempSync(join(tmpdir(), 'sampan-create-'));

beforeAll(() => {
  writeFileSync(join(dir, 'env.txt'), 'A=1\n# c\nB\nC=x y\n');
  writeFileSync(join(dir, 'label.txt'), 'l1=v1\nl2\n');
  writeFileSync(join(dir, 'seccomp.json'), '{"defaultAction": "SCMP_ACT_ALLOW"}\n');
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

async function bodyOf(args: string[]): Promise<string> {
  const flags = parseFlags(command.flags, args, { interspersed: false });
  const context = {
    cwd: dir,
    env: { B: 'frombenv' },
    program: 'docker',
    config: {},
    endpoint: 'unix:///d.sock',
  } as Partial<CliContext> as CliContext;
  return stringifyJson(await createBody(flags, flags.args, context));
}

const withEnvSet = (body: { Env?: string[] | null }) => ({
  ...body,
  Env: body.Env && [...new Set(body.Env)].sort(),
});

const inDir = <T>(value: T): T => JSON.parse(JSON.stringify(value).replaceAll('{dir}', dir)) as T;

test('run busybox sends the bytes that the stock client sends', async () => {
  expect(await bodyOf(['busybox'])).toBe(JSON.stringify(recorded.base));
});

for (const each of recorded.cases) {
  test(`run ${each.args.join(' ')}`, async () => {
    const { HostConfig = {}, ...changes } = inDir(each.changes) as Record<string, object>;
    const expected = {
      ...recorded.base,
      ...changes,
      HostConfig: { ...recorded.base.HostConfig, ...HostConfig },
    };
    // The stock client sends the environment in an order of chance, and of what comes twice both.
    expect(withEnvSet(JSON.parse(await bodyOf(inDir(each.args))))).toEqual(withEnvSet(expected));
  });
}

test('a CDI device is asked for as the stock client does', async () => {
  const body = JSON.parse(
    await bodyOf(['--device', 'vendor.com/class=name', '--device', '/dev/null', 'busybox']),
  ) as {
    HostConfig: object;
  };
  expect(body.HostConfig).toMatchObject({
    Devices: [{ PathOnHost: '/dev/null' }],
    DeviceRequests: [
      { Driver: 'cdi', Count: 0, DeviceIDs: ['vendor.com/class=name'], Capabilities: null, Options: null },
    ],
  });
});
