import { EngineError } from '../../errors/engine-error.ts';
import type { NewVolume } from '../../volumes/volumes.ts';
import type { Json } from '../../wire/json.ts';
import { anything, Fields, string, stringMap } from './go-json.ts';

/**
 * The body of `POST /volumes/create`; `Owner` (`uid:gid`) and `Mode` (octal) are this engine's own.
 *
 * @throws EngineError "invalid" on wrong types, "unavailable" for a volume of a cluster.
 */
export function decodeNewVolume(body: Json | undefined): NewVolume {
  const fields = new Fields(body ?? {}, 'CreateOptions', 'volume.CreateOptions');
  if (fields.has('ClusterVolumeSpec') && fields.get('ClusterVolumeSpec', anything) !== undefined)
    throw new EngineError(
      'unavailable',
      'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
    );
  const name = fields.get('Name', string) ?? '';
  return {
    ...(name === '' ? {} : { name }),
    driver: fields.get('Driver', string),
    options: fields.get('DriverOpts', stringMap),
    labels: fields.get('Labels', stringMap),
    ...decodeOwner(fields.get('Owner', string)),
    ...decodeMode(fields.get('Mode', string)),
  };
}

const MAX_ID = 2 ** 32 - 2;

/** @throws EngineError "invalid". */
export function decodeOwner(text = ''): Pick<NewVolume, 'owner'> {
  if (text === '') return {};
  const [, user, group] = /^(\d{1,10})(?::(\d{1,10}))?$/.exec(text) ?? [];
  const [uid, gid] = [Number(user ?? Number.NaN), Number(group ?? user ?? Number.NaN)];
  if (Number.isNaN(uid) || uid > MAX_ID || gid > MAX_ID)
    throw new EngineError('invalid', `invalid owner ${JSON.stringify(text)}: it must be uid or uid:gid`);
  return { owner: { uid, gid } };
}

/** @throws EngineError "invalid". */
export function decodeMode(text = ''): Pick<NewVolume, 'mode'> {
  if (text === '') return {};
  if (!/^0?[0-7]{3,4}$/.test(text))
    throw new EngineError('invalid', `invalid mode ${JSON.stringify(text)}: it must be octal, as 0750`);
  return { mode: Number.parseInt(text, 8) };
}
