import type { EngineClient } from '../../client/engine-client.ts';
import type { SystemInfo } from '../../wire/system.ts';
import type { Question, Source } from './completion.ts';
import { NOTHING, valuesOf } from './completion.ts';

type Summary = Awaited<ReturnType<EngineClient['containers']['list']>>[number];

/** Names of containers that `fits`; only of running ones unless `all`. */
export function containerNames({
  all = true,
  fits = () => true,
}: {
  all?: boolean;
  fits?: (container: Summary, question: Question) => boolean;
} = {}): Source {
  return async (question) => {
    const client = await question.client();
    const found = (await client.containers.list({ all })).filter((each) => fits(each, question));
    const names = found.flatMap(({ Id, Names }) => [
      ...withId(question, Id),
      ...(Names ?? []).map(plainName),
    ]);
    return valuesOf(names.filter((name) => !question.args.includes(name)));
  };
}

/** Docker's switch for those who name containers by their ids. */
function withId({ env }: Question, id: string): string[] {
  return env.DOCKER_COMPLETION_SHOW_CONTAINER_IDS === 'yes' ? [id] : [];
}

function plainName(name: string): string {
  return name.replace(/^\//, '');
}

export const stoppedContainers = containerNames({
  fits: ({ State }) => State === 'exited' || State === 'created',
});
export const runningContainers = containerNames({ all: false, fits: ({ State }) => State !== 'paused' });

/** Those that are, or aren't, on the network that is the first argument. */
export function containersOnNetwork(wanted: boolean): Source {
  return containerNames({
    fits: ({ NetworkSettings }, { args: [network = ''] }) => {
      const networks = (NetworkSettings?.Networks ?? {}) as Record<string, { NetworkID?: string } | null>;
      const isOn = Object.entries(networks).some(([name, end]) => [name, end?.NetworkID].includes(network));
      return isOn === wanted;
    },
  });
}

export const imageNames: Source = async (question) => {
  const client = await question.client();
  const names = (await client.images.list()).flatMap(({ RepoTags }) => RepoTags ?? []);
  return valuesOf(names.filter((name) => name !== '<none>:<none>' && !question.args.includes(name)));
};

export const networkNames: Source = async (question) => {
  const networks = await (await question.client()).networks.list();
  return valuesOf(networks.map(({ Name }) => Name).filter((name) => !question.args.includes(name)));
};

export const volumeNames: Source = async (question) => {
  const { Volumes } = await (await question.client()).volumes.list();
  return valuesOf((Volumes ?? []).map(({ Name }) => Name).filter((name) => !question.args.includes(name)));
};

/** What `inspect` takes. */
export const objectNames: Source = async (question) => {
  const all = await Promise.all(
    [containerNames(), imageNames, networkNames, volumeNames].map(async (source) => source(question)),
  );
  return valuesOf([...new Set(all.flatMap(({ values }) => values))]);
};

export const contextNames: Source = async ({ configDirectory, args }) => {
  const { ContextStore } = await import('../contexts/context-store.ts');
  const stored = await new ContextStore(configDirectory).list();
  const names = ['default', ...stored.map(({ Name }) => Name)];
  return valuesOf(names.filter((name) => !args.includes(name)));
};

/** `container:NAME` and the words beside it: the namespaces of another container. */
export function namespaceOf(words: readonly string[], source: Source = containerNames()): Source {
  return async (question) => {
    if (!question.typed.startsWith('container:')) return valuesOf(['container:', ...words]);
    const { values } = await source({ ...question, args: [] });
    return valuesOf(values.map((name) => `container:${name}`));
  };
}

/** Drivers that the daemon has, of logs or volumes. */
export function driverNames(kind: 'Log' | 'Volume'): Source {
  return async (question) => {
    const info = await (await question.client()).system.info();
    const { [kind]: names } = (info.Plugins ?? {}) as Partial<SystemInfo['Plugins']>;
    return names === undefined || names === null ? NOTHING : valuesOf(names);
  };
}
