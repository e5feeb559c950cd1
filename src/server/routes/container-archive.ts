import type { PathStat } from '../../containers/archive/path-stat.ts';
import { EngineError } from '../../errors/engine-error.ts';
import { stringifyJson } from '../../wire/json.ts';
import { type ContainerPathStat, goFileMode, PATH_STAT_HEADER } from '../../wire/path-stat.ts';
import { formatTime } from '../../wire/time.ts';
import { type ApiRequest, boolParam, pathParam, textParam } from '../api-request.ts';
import { toReadableStream } from '../body-stream.ts';
import type { Route } from '../router.ts';
import type { Backends } from '../server-options.ts';

const PATTERN = '/containers/{}/archive';

/** Files into and out of containers. */
export function containerArchiveRoutes({ containers }: Backends): Route[] {
  return [
    {
      method: 'HEAD',
      pattern: PATTERN,
      handler: async (request, response) => {
        const stat = await containers.statPath(pathParam(request), archivePath(request), {
          signal: request.signal,
        });
        response.header(PATH_STAT_HEADER, encodePathStat(stat));
        response.empty(200);
      },
    },
    {
      method: 'GET',
      pattern: PATTERN,
      handler: async (request, response) => {
        const { stat, tar } = await containers.readPath(pathParam(request), archivePath(request), {
          signal: request.signal,
        });
        response.header(PATH_STAT_HEADER, encodePathStat(stat));
        const stream = response.stream(200, 'application/x-tar');
        for await (const chunk of tar) await stream.write(chunk);
        await stream.end();
      },
    },
    {
      method: 'PUT',
      pattern: PATTERN,
      handler: async (request, response) => {
        await containers.writePath(
          pathParam(request),
          {
            path: archivePath(request),
            archive: toReadableStream(request.body),
            keepKinds: boolParam(request, 'noOverwriteDirNonDir'),
            toUser: boolParam(request, 'copyUIDGID'),
          },
          { signal: request.signal },
        );
        response.empty(200);
      },
    },
    {
      // Beyond Docker: wildcards, which only the container's own root can resolve.
      method: 'GET',
      pattern: `${PATTERN}/matches`,
      handler: async (request, response) => {
        const pattern = textParam(request, 'pattern');
        if (pattern === undefined) throw new EngineError('invalid', 'bad parameter: pattern cannot be empty');
        const paths = await containers.matchPaths(pathParam(request), pattern, { signal: request.signal });
        response.json(200, paths);
      },
    },
  ];
}

/** @throws EngineError "invalid" in Docker's own spelling. */
function archivePath(request: ApiRequest): string {
  const path = textParam(request, 'path');
  if (path === undefined) throw new EngineError('invalid', 'bad parameter: pathcannot be empty');
  if (path.includes('\0')) throw new EngineError('invalid', 'bad parameter: path has a NUL byte');
  return path;
}

function encodePathStat({ name, type, mode, linkTarget, ...stat }: PathStat): string {
  const mtimeNano = BigInt(stat.mtimeSeconds) * 1_000_000_000n + BigInt(stat.mtimeNanoseconds);
  const header: ContainerPathStat = {
    name,
    size: stat.sizeBytes,
    mode: goFileMode(type, mode),
    mtime: formatTime(mtimeNano),
    linkTarget,
  };
  return Buffer.from(stringifyJson(header)).toString('base64');
}
