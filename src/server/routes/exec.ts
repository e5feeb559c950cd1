import { messageOf } from '../../errors/engine-error.ts';
import type { ExecCreateResponse } from '../../wire/exec.ts';
import { type ApiRequest, optionalJsonBody, pathParam } from '../api-request.ts';
import type { ApiResponse } from '../api-response.ts';
import type { Attachment } from '../attachment.ts';
import { decodeExecCreate, decodeExecStart, type ExecStart } from '../decode/exec-request.ts';
import { terminalSize } from '../decode/terminal-size.ts';
import { encodeExec } from '../encode/exec.ts';
import type { Route } from '../router.ts';
import type { Backends } from '../server-options.ts';

/** Commands in running containers. */
export function execRoutes({ execs }: Pick<Backends, 'execs'>): Route[] {
  return [
    {
      method: 'POST',
      pattern: '/containers/{}/exec',
      handler: async (request, response) => {
        const config = decodeExecCreate(await optionalJsonBody(request), request.version);
        const answer: ExecCreateResponse = { Id: await execs.createExec(pathParam(request), config) };
        response.json(201, answer);
      },
    },
    {
      method: 'POST',
      pattern: '/exec/{}/start',
      handler: (request, response) => start(execs, request, response),
    },
    {
      method: 'POST',
      pattern: '/exec/{}/resize',
      handler: async (request, response) => {
        await execs.resizeExec(pathParam(request), terminalSize(request));
        response.empty(200);
      },
    },
    {
      method: 'GET',
      pattern: '/exec/{}/json',
      handler: (request, response) => response.json(200, encodeExec(execs.inspectExec(pathParam(request)))),
    },
  ];
}

async function start(execs: Backends['execs'], request: ApiRequest, response: ApiResponse): Promise<void> {
  const options = decodeExecStart(await optionalJsonBody(request), request.version);
  const id = pathParam(request);
  const { consoleSize } = options;
  // Before the connection leaves HTTP, while there are statuses.
  execs.checkExec(id);
  if (options.detach) {
    await execs.startExec(id, { consoleSize }, undefined);
    response.empty(200);
    return;
  }
  const client = hijack(execs, id, { request, response, options });
  try {
    await execs.startExec(id, { consoleSize }, () => client);
  } catch (error) {
    await client.write('stdout', Buffer.from(`${messageOf(error)}\r\n`)).catch(() => undefined);
  } finally {
    client.finish();
  }
}

function hijack(
  execs: Backends['execs'],
  id: string,
  { request, response, options }: { request: ApiRequest; response: ApiResponse; options: ExecStart },
): Attachment {
  const { tty } = options;
  const { config } = execs.inspectExec(id);
  const client = response.hijack({
    tty,
    wantsStdin: config.attachStdin,
    version: request.version,
    body: request.body,
    signal: request.signal,
  });
  if (!tty || config.tty) return client;
  // Unframed, what is no terminal's would run together: as in Docker only one of them is sent.
  return {
    stdin: client.stdin,
    signal: client.signal,
    write: (stream, data) => (stream === 'stdout' ? client.write(stream, data) : Promise.resolve()),
    finish: () => client.finish(),
  };
}
