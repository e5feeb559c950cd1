import type { AttachRequest, LogRequest, WaitCondition } from '../../containers/container-backend.ts';
import { EngineError, messageOf } from '../../errors/engine-error.ts';
import { encodeFrame, MULTIPLEXED_STREAM, RAW_STREAM } from '../../wire/stream-frame.ts';
import { parseTimeParameter } from '../../wire/time.ts';
import { compareApiVersions } from '../../wire/versions.ts';
import { type ApiRequest, boolParam, pathParam, textParam } from '../api-request.ts';
import type { ApiResponse } from '../api-response.ts';
import type { Attachment } from '../attachment.ts';
import { detachKeysOf } from '../decode/detach-keys.ts';
import { linesRenderer } from '../render-lines.ts';
import type { ResponseStream } from '../response-stream.ts';
import type { Route } from '../router.ts';
import type { Backends } from '../server-options.ts';

/** Attach, logs and wait: what stays open. */
export function containerStreamRoutes(backends: Backends): Route[] {
  return [
    {
      method: 'POST',
      pattern: '/containers/{}/attach',
      handler: (request, response) => attach(backends, request, response),
    },
    {
      method: 'GET',
      pattern: '/containers/{}/attach/ws',
      handler: (request, response) => attachWebSocket(backends, request, response),
    },
    {
      method: 'GET',
      pattern: '/containers/{}/logs',
      handler: (request, response) => logs(backends, request, response),
    },
    {
      method: 'POST',
      pattern: '/containers/{}/wait',
      handler: (request, response) => wait(backends, request, response),
    },
  ];
}

async function attach({ containers }: Backends, request: ApiRequest, response: ApiResponse): Promise<void> {
  const options = attachRequest(request);
  await skipOptionsBody(request);
  let client: Attachment | undefined;
  try {
    await containers.attach(pathParam(request), options, ({ tty }) => {
      client = response.hijack({
        tty,
        wantsStdin: options.stdin && options.stream,
        version: request.version,
        body: request.body,
        signal: request.signal,
      });
      return client;
    });
  } finally {
    client?.finish();
  }
  if (client === undefined) throw new EngineError('internal', 'the attach ended before it began');
}

async function attachWebSocket(
  { containers }: Backends,
  request: ApiRequest,
  response: ApiResponse,
): Promise<void> {
  const options = attachRequest(request);
  let client: Attachment | undefined;
  try {
    await containers.attach(pathParam(request), options, () => {
      const wantsStdin = options.stdin && options.stream;
      client = response.webSocket(request.headers, { wantsStdin, signal: request.signal });
      return client;
    });
  } finally {
    client?.finish();
  }
}

/** Some clients send their options as a body too; only what follows it is typed. A chunked body is the typing itself. */
async function skipOptionsBody({ headers, body }: ApiRequest): Promise<void> {
  if (headers['transfer-encoding'] !== undefined) return;
  for await (const _ of body);
}

function attachRequest(request: ApiRequest): AttachRequest {
  const keys = request.query.get('detachKeys');
  return {
    stdin: boolParam(request, 'stdin'),
    stdout: boolParam(request, 'stdout'),
    stderr: boolParam(request, 'stderr'),
    logs: boolParam(request, 'logs'),
    stream: boolParam(request, 'stream'),
    detachKeys:
      keys === null || keys === '' ? undefined : detachKeysOf(keys, { kind: 'invalid', what: 'detach' }),
  };
}

async function logs({ containers }: Backends, request: ApiRequest, response: ApiResponse): Promise<void> {
  const options = logRequest(request);
  const { tty, attributes, batches } = await containers.logs(pathParam(request), options, {
    signal: request.signal,
  });
  const multiplexed = !tty && compareApiVersions(request.version, '1.42') >= 0;
  const stream = response.stream(200, multiplexed ? MULTIPLEXED_STREAM : RAW_STREAM);
  const render = linesRenderer({
    framed: !tty,
    attributes: boolParam(request, 'details') ? attributes : undefined,
    timestamps: boolParam(request, 'timestamps'),
  });
  try {
    for await (const lines of batches) await stream.write(render(lines));
  } catch (error) {
    if (request.signal.aborted) return;
    await logFailure(stream, tty, error);
  }
  await stream.end();
}

async function logFailure(stream: ResponseStream, tty: boolean, error: unknown): Promise<void> {
  const text = Buffer.from(`Error grabbing logs: ${messageOf(error)}\n`);
  await stream.write(tty ? text : encodeFrame('systemerr', text));
}

function logRequest(request: ApiRequest): LogRequest {
  const stdout = boolParam(request, 'stdout');
  const stderr = boolParam(request, 'stderr');
  if (!stdout && !stderr)
    throw new EngineError('invalid', 'Bad parameters: you must choose at least one stream');
  const since = textParam(request, 'since');
  const until = textParam(request, 'until');
  return {
    stdout,
    stderr,
    follow: boolParam(request, 'follow'),
    sinceNano: timeOrNone(since),
    untilNano: timeOrNone(until),
    tail: tailParam(request),
  };
}

/** 0 is "no limit", as clients send it. */
function timeOrNone(text: string | undefined): bigint | undefined {
  if (text === undefined) return undefined;
  const nano = parseTimeParameter(text);
  return nano === 0n ? undefined : nano;
}

/** `all`, and as in Docker anything that is no count, means everything. */
function tailParam(request: ApiRequest): number | undefined {
  const text = textParam(request, 'tail');
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

async function wait({ containers }: Backends, request: ApiRequest, response: ApiResponse): Promise<void> {
  const condition = waitCondition(request);
  const { result } = await containers.wait(pathParam(request), condition, { signal: request.signal });
  // The headers tell the client that a start may follow: from here on no exit is missed.
  const stream = response.stream(200, 'application/json');
  try {
    const { exitCode, error } = await result;
    await stream.writeJson({
      StatusCode: exitCode,
      ...(error === undefined ? {} : { Error: { Message: error } }),
    });
  } catch (error) {
    if (request.signal.aborted) return;
    await stream.writeJson({ StatusCode: -1, Error: { Message: messageOf(error) } });
  }
  await stream.end();
}

function waitCondition(request: ApiRequest): WaitCondition {
  const text = textParam(request, 'condition') ?? 'not-running';
  if (text === 'not-running' || text === 'next-exit' || text === 'removed') return text;
  throw new EngineError('invalid', `invalid condition: ${JSON.stringify(text)}`);
}
