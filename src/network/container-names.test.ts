import { expect, test } from 'bun:test';
import { silentLogger } from '../errors/logger.ts';
import { ContainerNames, type ContainerNamesOptions } from './container-names.ts';
import type { NamePorts, NameServer } from './names/name-server.ts';

test('a name server that is lost again while it is restored is restored again', async () => {
  let lost: () => void = () => undefined;
  const outcomes: ('lost' | 'kept')[] = ['kept', 'lost', 'lost', 'kept'];
  const kept = Promise.withResolvers<void>();
  const ports: NamePorts = { udp: 1, tcp: 2 };
  const server: Pick<NameServer, 'adopt' | 'onLost'> = {
    adopt: async () => {
      if (outcomes.shift() === 'lost') {
        lost();
        throw new Error('gone');
      }
      if (outcomes.length === 0) kept.resolve();
      return new Map([['c', ports]]);
    },
    onLost: (listener) => {
      lost = listener;
    },
  };
  const endpoint = {
    containerId: 'c',
    endpointId: 'e',
    networkId: 'n',
    networkName: 'n',
    networkDriver: 'bridge',
    names: [],
    links: {},
  };
  const names = new ContainerNames({
    server,
    book: { endpoints: () => [endpoint], endpointsOf: () => [endpoint], byId: () => undefined },
    host: { redirectNames: async () => undefined },
    namespacePath: () => '/ns',
    logger: silentLogger,
  } as unknown as ContainerNamesOptions);
  await names.restore();
  expect(names.isEmpty).toBe(false);
  lost();
  await kept.promise;
  expect(outcomes).toEqual([]);
});
