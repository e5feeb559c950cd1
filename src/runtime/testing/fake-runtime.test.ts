import { buildSpec } from '../spec/build-spec.ts';
import { plainHostOptions } from '../spec/plain-host-options.ts';
import { describeRuntime, conformancePrograms as programs } from './conformance.ts';
import { catProgram, echoProgram, type FakeProgram, scripted, sleepProgram } from './fake-programs.ts';
import { FakeRuntime } from './fake-runtime.ts';

const known: Record<string, FakeProgram> = {
  echo: echoProgram,
  cat: catProgram,
  sleep: sleepProgram,
  '/etc/plain': 'not-executable',
  [programs.both.join(' ')]: scripted({ stdout: 'out\n', stderr: 'err\n', exitCode: 3 }),
  [programs.flood.join(' ')]: async (process) => {
    for (let sent = 0; sent < 5_000_000; sent += 8000) process.stdout('x'.repeat(8000));
    return 0;
  },
  [programs.trap.join(' ')]: async (process) => {
    const caught = new Promise<number>((resolve) => {
      process.trap(() => resolve(7));
    });
    process.stdout('ready\n');
    return await caught;
  },
};

describeRuntime('FakeRuntime', async () => {
  let runtime = new FakeRuntime({ programs: known });
  let count = 0;
  return {
    runtime,
    request: (args, more = {}) => {
      const containerId = String(++count).padStart(64, 'f');
      const { spec } = buildSpec({
        containerId,
        rootDirectory: '/nonexistent',
        process: {
          args,
          env: [],
          workingDir: '/',
          user: '',
          terminal: false,
          hostname: 'box',
          domainname: '',
        },
        host: plainHostOptions,
        binds: [],
        mounts: [],
        namespacePaths: {},
        cgroupParent: '/fake',
        cgroupDriver: 'cgroupfs',
        cgroupVersion: '2',
      });
      return {
        id: { containerId, generation: 1 },
        rootDirectory: '/nonexistent',
        directory: `/run/fake/${containerId}`,
        spec,
        terminal: false,
        stdin: false,
        leaveStdinOpen: false,
        logPath: undefined,
        ...more,
      };
    },
    exec: async (task, args, { terminal = false, stdin = false } = {}) => {
      const execId = String(++count).padStart(64, 'e');
      const { process } = await runtime.specOf(task);
      return {
        execId,
        directory: `${task.directory}/exec/${execId}`,
        process: { ...process, args: [...args], terminal },
        terminal,
        stdin,
      };
    },
    execLeftovers: async ({ execId }) => (runtime.host.execs.all.has(execId) ? [execId] : []),
    reopen: async () => {
      runtime = new FakeRuntime({ programs: known }, runtime.host);
      return runtime;
    },
    leftovers: async (request) =>
      [...runtime.host.tasks.keys()].filter((key) => key.startsWith(request.id.containerId)),
    close: async () => runtime.close(),
  };
});
