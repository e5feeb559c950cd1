import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inOwnNamespaces } from '../../sys/testing/own-namespaces.ts';
import { TaskCgroup } from '../cgroups/task-cgroup.ts';
import { ConmonRuntime } from '../conmon/conmon-runtime.ts';
import { type ProbedRuntime, probeRuntime } from '../probe/probe.ts';
import type { Runtime, TaskRequest } from '../runtime.ts';
import { buildSpec } from '../spec/build-spec.ts';
import { plainHostOptions } from '../spec/plain-host-options.ts';
import type { SpecInput } from '../spec/spec-input.ts';
import { makeBusyboxRoot } from './busybox.ts';
import type { RuntimeSubject } from './conformance.ts';

export interface RealSubject extends RuntimeSubject {
  directory: string;
  cgroupParent: string;
  rootPath: string;
  probed: ProbedRuntime;
  build(args: readonly string[], more?: Partial<SpecInput>): ReturnType<typeof buildSpec>;
  close(): Promise<void>;
}

/**
 * conmon with the named runtime on busybox, in folders and a cgroup of its own. `proven`: the binary was tried, as by the daemon in the
 * background, and what makes starts faster with it is in effect.
 */
export async function openRealSubject(
  runtimeName: 'crun' | 'runc',
  { proven = false } = {},
): Promise<RealSubject> {
  refuseOnHost();
  const directory = mkdtempSync(join(tmpdir(), 'sampan-rt-'));
  const cgroupParent = `/sampan-test-${directory.slice(-6)}`;
  const root = makeBusyboxRoot();
  const probed = await probeRuntime({
    directory,
    cgroupParent,
    runtime: runtimeName,
    ownMountNamespace: true,
  });
  const open = async (): Promise<Runtime> => {
    const opened = new ConmonRuntime({ directory, probed, cgroupParent, ownMountNamespace: true });
    if (proven) await opened.warm();
    return opened;
  };
  let runtime = await open();
  let count = 0;
  const build: RealSubject['build'] = (args, more = {}) =>
    buildSpec({
      containerId: nextId(directory, count),
      rootDirectory: root.path,
      process: { args, env: [], workingDir: '/', user: '', terminal: false, hostname: 'box', domainname: '' },
      host: plainHostOptions,
      binds: [],
      mounts: [],
      namespacePaths: {},
      cgroupParent,
      cgroupDriver: 'cgroupfs',
      cgroupVersion: probed.info.cgroupVersion,
      ...more,
    });
  return {
    runtime,
    directory,
    cgroupParent,
    rootPath: root.path,
    probed,
    build,
    request: (args, more = {}) => {
      count++;
      const containerId = nextId(directory, count);
      return {
        id: { containerId, generation: 1 },
        rootDirectory: root.path,
        directory: join(directory, 'c', containerId, '1'),
        spec: build(args).spec,
        terminal: false,
        stdin: false,
        leaveStdinOpen: false,
        logPath: undefined,
        ...more,
      };
    },
    exec: async (task, args, { terminal = false, stdin = false } = {}) => {
      const execId = nextId(directory, ++count);
      const { process } = await runtime.specOf(task);
      return {
        execId,
        directory: join(task.directory, 'exec', execId),
        process: { ...process, args: [...args], terminal },
        terminal,
        stdin,
      };
    },
    execLeftovers: async (request) => [
      ...strayProcesses(request.directory),
      ...[request.directory, join(directory, 'execs', `${request.execId}.json`)].filter((path) =>
        existsSync(path),
      ),
    ],
    reopen: async () => {
      runtime = await open();
      return runtime;
    },
    leftovers: async (request) => [
      ...leftovers(request, cgroupParent),
      ...['crun', 'runc']
        .map((name) => join(directory, name, request.id.containerId))
        .filter((path) => existsSync(path)),
    ],
    close: async () => {
      await runtime.recover([]);
      await runtime.close();
      const left = strayProcesses(directory);
      await new TaskCgroup(cgroupParent).remove();
      root.remove();
      rmSync(directory, { recursive: true, force: true });
      if (left.length > 0) throw new Error(`left behind: ${left.join('; ')}`);
    },
  };
}

/** The probe changes mounts: only in a mount and pid namespace made for this test. */
function refuseOnHost(): void {
  if (!inOwnNamespaces())
    throw new Error('Run this file by scripts/test.mjs: it needs namespaces of its own');
}

function nextId(directory: string, count: number): string {
  const seed = Buffer.from(`${directory}${count}`).toString('hex');
  return seed.slice(-64).padStart(64, '0');
}

function leftovers(request: TaskRequest, cgroupParent: string): string[] {
  const cgroups = cgroupFolders().map((folder) => join(folder, cgroupParent, request.id.containerId));
  return [
    ...strayProcesses(request.directory),
    ...[request.directory, ...cgroups].filter((path) => existsSync(path)),
  ];
}

function cgroupFolders(): string[] {
  const root = '/sys/fs/cgroup';
  return [root, ...readdirSync(root).map((name) => join(root, name))];
}

/** Living processes whose command line names the folder. */
function strayProcesses(directory: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((name) => {
      try {
        const line = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ');
        return line.includes(directory) ? [`${name}: ${line}`] : [];
      } catch {
        return [];
      }
    });
}
