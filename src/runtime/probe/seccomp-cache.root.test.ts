import { afterEach, beforeEach, expect, test } from 'bun:test';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { silentLogger } from '../../errors/logger.ts';
import { spawnDetached } from '../../sys/spawn.ts';
import { patience } from '../../sys/testing/patience.ts';
import { TaskCgroup } from '../cgroups/task-cgroup.ts';
import { ConmonRuntime } from '../conmon/conmon-runtime.ts';
import type { RuntimeSpec } from '../runtime-spec.ts';
import { plainHostOptions } from '../spec/plain-host-options.ts';
import { collect, rejection } from '../testing/conformance.ts';
import { openRealSubject, type RealSubject } from '../testing/real-subject.ts';
import { removeProbes, withProbeBundle } from './probe-bundle.ts';
import { type Proof, ProvenBinary } from './proven-binary.ts';
import { SECCOMP_ANNOTATION, SeccompCache } from './seccomp-cache.ts';
import { trySeccompFilter } from './seccomp-trial.ts';

/** What Docker's default profile refuses to a container without capabilities for it, and what it lets through. */
const ATTEMPTS = [
  'sh',
  '-c',
  `grep -E "^(Seccomp|NoNewPrivs)" /proc/self/status
   for c in "unshare -U true" "unshare -m true" "unshare -n true" "mount -t tmpfs x /tmp" "chroot / true" "ps"
   do $c >/dev/null 2>&1; echo "$c: $?"; done`,
];

let subject: RealSubject;

beforeEach(async () => {
  subject = await openRealSubject('crun');
});

afterEach(async () => {
  await subject.close();
});

/** Output, and what the runtime was told in the place of `linux.seccomp`. */
async function attempt(
  runtime: ConmonRuntime,
  host: Partial<typeof plainHostOptions> = {},
): Promise<{ output: string; annotation: string | undefined; profile: unknown }> {
  const request = subject.request(ATTEMPTS);
  const { spec } = subject.build(ATTEMPTS, { host: { ...plainHostOptions, ...host } });
  const cgroupsPath = `${subject.cgroupParent}/${request.id.containerId}`;
  const signal = AbortSignal.timeout(20_000);
  const handle = await runtime.create(
    { ...request, spec: { ...spec, linux: { ...spec.linux, cgroupsPath } } },
    { signal },
  );
  const told = JSON.parse(readFileSync(join(handle.directory, 'config.json'), 'utf8')) as RuntimeSpec;
  const output = collect(await runtime.attach(handle));
  await runtime.start(handle);
  await runtime.wait(handle, { signal });
  const { stdout, stderr } = await output;
  await runtime.remove(handle);
  return {
    output: stdout + stderr,
    annotation: told.annotations?.[SECCOMP_ANNOTATION],
    profile: told.linux.seccomp,
  };
}

function runtimeWith(trial?: () => Promise<undefined>): ConmonRuntime {
  const { directory, probed } = subject;
  return new ConmonRuntime({
    directory,
    probed: trial === undefined ? probed : { ...probed, trySeccompFilter: trial },
  });
}

test(
  'a compiled filter refuses what the profile refuses, from the first start on',
  async () => {
    const plain = await attempt(runtimeWith(async () => undefined));
    expect(plain.annotation).toBeUndefined();
    expect(plain.output).toContain('Seccomp:\t2');
    expect(plain.output).toContain('unshare -U true: 1');
    expect(plain.output).toContain('chroot / true: 0');
    const runtime = runtimeWith();
    await runtime.warm();
    const cached = await attempt(runtime);
    expect(cached.annotation).toBeString();
    expect(cached.profile).toBeUndefined();
    expect(cached.output).toBe(plain.output);
  },
  30_000 * patience,
);

test(
  'other capabilities have a filter of their own, learnt from the first container',
  async () => {
    const runtime = runtimeWith();
    await runtime.warm();
    const host = { capAdd: ['SYS_ADMIN'] };
    const first = await attempt(runtime, host);
    expect(first.annotation).toBeUndefined();
    expect(first.output).toContain('unshare -m true: 0');
    const second = await attempt(runtime, host);
    expect(second.annotation).toBeString();
    expect(second.output).toBe(first.output);
    expect((await attempt(runtime)).output).toContain('unshare -m true: 1');
  },
  30_000 * patience,
);

test(
  'no new privileges are kept with a compiled filter',
  async () => {
    const runtime = runtimeWith();
    await runtime.warm();
    const { output, annotation } = await attempt(runtime, { securityOpt: ['no-new-privileges'] });
    expect(annotation).toBeString();
    expect(output).toContain('NoNewPrivs:\t1');
    expect(output).toContain('Seccomp:\t2');
    expect(output).toContain('unshare -U true: 1');
  },
  30_000 * patience,
);

test(
  'filters of a binary that was changed are forgotten',
  async () => {
    const filter = await subject.probed.trySeccompFilter();
    if (filter === undefined) throw new Error('no filter');
    let proof: Proof | undefined = { filter, executable: '/crun' };
    const binary = { proof: () => proof, distrust: () => undefined };
    const cache = new SeccompCache({ binary, stateDirectory: subject.directory });
    const { spec } = subject.build(['true']);
    expect(cache.prepare(spec).filter).toEqual(filter.filter);
    proof = undefined;
    expect(cache.prepare(spec).filter).toBeUndefined();
    proof = { filter: { key: 'another', filter: filter.filter }, executable: '/crun' };
    expect(cache.prepare(spec).filter).toBeUndefined();
  },
  30_000 * patience,
);

test(
  'a runtime that ignores the filter is refused the container, and trusted no more',
  async () => {
    const { directory, probed } = subject;
    const seen = await probed.trySeccompFilter();
    const stateDirectory = join(directory, 'empty');
    const binary = new ProvenBinary({
      path: probed.binary.path,
      mountDirectory: undefined,
      trial: async () => seen,
      logger: silentLogger,
    });
    await binary.warm();
    const cache = new SeccompCache({ binary, stateDirectory });
    const { spec } = subject.build(['true']);
    const prepared = cache.prepare(spec);
    expect(prepared.filter).toBeDefined();
    const error = await rejection((async () => cache.settle('x', prepared))());
    expect(error).toMatchObject({ kind: 'internal' });
    expect(cache.prepare(spec).filter).toBeUndefined();
  },
  30_000 * patience,
);

test(
  'annotations that meddle with seccomp are left alone and teach nothing',
  async () => {
    const { probed } = subject;
    const runtime = runtimeWith();
    await runtime.warm();
    const seen = await probed.trySeccompFilter();
    const annotations = { [SECCOMP_ANNOTATION]: seen?.filter.toString('base64') ?? '' };
    const { profile } = await attempt(runtime, { annotations, capAdd: ['SYS_ADMIN'] });
    expect(profile).toBeDefined();
    expect((await attempt(runtime, { capAdd: ['SYS_ADMIN'] })).output).toContain('unshare -m true: 0');
  },
  30_000 * patience,
);

test('runc is never asked', async () => {
  const { binary } = subject.probed;
  const place = { directory: subject.directory, cgroupParent: subject.cgroupParent, id: 'none' };
  expect(await trySeccompFilter({ ...binary, name: 'runc' }, place)).toBeUndefined();
  expect(existsSync(join(subject.directory, 'none'))).toBe(false);
});

test(
  'a probe that its daemon did not outlive is cleared away by the next',
  async () => {
    const { directory, cgroupParent, probed } = subject;
    const place = { directory, cgroupParent, id: 'seccomp-999999' };
    await withProbeBundle(probed.binary, place, async (bundle) => {
      const command = [probed.binary.path, `--root=${bundle.stateDirectory}`, 'create'];
      const child = spawnDetached([...command, '--bundle', bundle.directory, bundle.id], {
        stdio: ['ignore', 'ignore', 'ignore'],
      });
      expect(await child.exited).toBe(0);
      const cgroup = new TaskCgroup(`${cgroupParent}/${place.id}`);
      expect(cgroup.processes().length).toBe(1);
      await removeProbes(place);
      expect(cgroup.processes()).toEqual([]);
      expect(existsSync(bundle.directory)).toBe(false);
    });
  },
  30_000 * patience,
);

test('a further process has the filter, the capabilities and the privileges of the container', async () => {
  const runtime = runtimeWith();
  await runtime.warm();
  const signal = AbortSignal.timeout(20_000);
  const request = subject.request(['sleep', '60']);
  const task = await runtime.create(request, { signal });
  await runtime.start(task);
  const { process, annotations } = await runtime.specOf(task);
  expect(annotations?.[SECCOMP_ANNOTATION]).toBeString();
  const execId = 'e'.repeat(64);
  const directory = join(task.directory, 'exec', execId);
  const exec = { execId, directory, process: { ...process, args: ATTEMPTS }, terminal: false, stdin: false };
  let output: ReturnType<typeof collect> | undefined;
  const handle = await runtime.exec(task, exec, {
    signal,
    joined: (streams) => {
      output = collect(streams);
    },
  });
  await runtime.waitExec(handle, { signal });
  const { stdout } = (await output) ?? { stdout: '' };
  expect(stdout).toContain('Seccomp:\t2');
  expect(stdout).toContain('unshare -U true: 1');
  expect(stdout).toContain('chroot / true: 0');
  await runtime.removeExec(handle);
  await runtime.remove(task);
});
