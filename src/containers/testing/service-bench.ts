import { afterEach, beforeEach, expect } from 'bun:test';
import { readdirSync } from 'node:fs';
import type { FakeFunction, FakeProgram } from '../../runtime/testing/fake-programs.ts';
import { catProgram, scripted, sleepProgram } from '../../runtime/testing/fake-programs.ts';
import type { ContainerConfig, HostOptions } from '../container.ts';
import type { WaitCondition } from '../container-backend.ts';
import type { NetworkMembership } from '../networking/container-networks.ts';
import { bootDaemon, FakeMachine, type TestDaemon, testConfig, testHost } from './service-fixture.ts';

const stubborn: FakeFunction = (process) => {
  process.trap(() => undefined);
  return process.untilKilled();
};
const programs: Record<string, FakeProgram> = {
  sleep: sleepProgram,
  cat: catProgram,
  three: scripted({ stdout: 'out\n', exitCode: 3 }),
  stubborn,
  '/locked': 'not-executable',
};

export const nowhere = { signal: new AbortController().signal };

/** A machine with one daemon for each test of a file, and after it the proof that nothing is left. */
export class ServiceBench {
  machine!: FakeMachine;
  daemon!: TestDaemon;

  constructor() {
    beforeEach(async () => {
      this.machine = new FakeMachine();
      await this.reboot();
    });
    afterEach(() => this.#leave());
  }

  /** Another daemon on what the last one left. */
  async reboot(): Promise<void> {
    this.daemon = await bootDaemon(this.machine, programs);
  }

  listAll() {
    const filters = new Map<string, string[]>();
    return this.daemon.service.list({ all: true, limit: undefined, size: false, filters });
  }

  async stateOf(name: string) {
    return (await this.daemon.service.inspect(name)).state;
  }

  async create(
    name: string,
    command: string,
    change: {
      config?: Partial<ContainerConfig>;
      host?: Partial<HostOptions>;
      networks?: NetworkMembership[];
    } = {},
  ): Promise<string> {
    const request = {
      name,
      config: testConfig(command, change.config),
      host: testHost(change.host),
      networks: change.networks ?? [],
      platform: undefined,
    };
    return (await this.daemon.service.create(request)).id;
  }

  async exitOf(name: string, condition: WaitCondition = 'not-running') {
    return await (await this.daemon.service.wait(name, condition, nowhere)).result;
  }

  async #leave(): Promise<void> {
    const { machine, daemon } = this;
    machine.db.failing = false;
    for (const { id } of await this.listAll())
      await daemon.service.remove(id, { force: true, volumes: false });
    await daemon.service.close();
    const left = machine.leftovers();
    const execRoot = readdirSync(machine.execRoot, { recursive: true, withFileTypes: true }).filter(
      (entry) => !['notes', 'exec-notes', 'health', 'rootfs', 'tasks'].includes(entry.name),
    );
    machine.remove();
    expect(left).toEqual([]);
    expect(execRoot.map(({ name }) => name)).toEqual([]);
  }
}
