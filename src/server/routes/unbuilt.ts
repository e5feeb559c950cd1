import { EngineError } from '../../errors/engine-error.ts';
import type { Handler, Route } from '../router.ts';

/** The rest of Docker's API: what each does, so that a client learns what it can't have. */
const UNBUILT: readonly (readonly [method: string, pattern: string, what: string])[] = [
  ['GET', '/containers/{}/checkpoints', 'checkpoints'],
  ['POST', '/containers/{}/checkpoints', 'checkpoints'],
  ['DELETE', '/containers/{}/checkpoints/{}', 'checkpoints'],
  ['*', '/plugins', 'plugins'],
  ['*', '/plugins/{*}', 'plugins'],
  ['POST', '/swarm/init', 'swarm mode'],
  ['POST', '/swarm/join', 'swarm mode'],
];

const SWARM = ['swarm', 'nodes', 'services', 'tasks', 'secrets', 'configs'];

/** Answers for all that isn't built, told apart from what doesn't exist: 501, and 503 where Docker itself wants a swarm. */
export function unbuiltRoutes(): Route[] {
  const refusals = UNBUILT.map(([method, pattern, what]) => ({
    method,
    pattern,
    handler: () => {
      throw new EngineError('not-implemented', `${what} is not implemented yet`);
    },
  }));
  const swarm = SWARM.flatMap((noun) => [
    { method: '*', pattern: `/${noun}`, handler: refuseSwarm },
    { method: '*', pattern: `/${noun}/{*}`, handler: refuseSwarm },
  ]);
  return [...refusals, ...swarm];
}

const refuseSwarm: Handler = () => {
  throw new EngineError(
    'unavailable',
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
  );
};
