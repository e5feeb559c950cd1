/**
 * The name-server program: `serve-names.ts <control socket>`. One process for the containers of one daemon, which outlives the daemon. It has a
 * loop of its own, without the runtime's, since its sockets are in other network namespaces.
 */
import { messageOf } from '../../errors/engine-error.ts';
import { EventLoop } from '../../sys/event-loop.ts';
import { NamespaceVisitor } from '../../sys/netns.ts';
import { dropProgramPages } from '../../sys/program-pages.ts';
import { acceptFrom, closeSocket, listenUnix, receiveSome, sendSome } from '../../sys/socket.ts';
import { type ControlAnswer, type ControlRequest, LineReader } from './control-messages.ts';
import { NameService } from './name-service.ts';

const RECEIVE_BYTES = 64 << 10;
/** At rest, memory goes back once. */
const REST_MS = 2000;

if (import.meta.main) serve(process.argv[2] ?? '');

function serve(controlPath: string): void {
  const loop = new EventLoop();
  const service = new NameService(loop, new NamespaceVisitor({ soleThread: true }));
  const listener = listenUnix(controlPath);
  loop.watch(listener, {
    readable: () => {
      const fd = acceptFrom(listener);
      if (fd !== undefined) control(loop, service, fd);
    },
  });
  let rested = false;
  for (;;) {
    const due = service.forwarder.dueInMs(performance.now());
    const served = loop.turn(Math.ceil(due ?? (rested ? -1 : REST_MS)));
    service.forwarder.expire(performance.now());
    if (served > 0) rested = false;
    else if (due === undefined && !rested) {
      rested = true;
      Bun.gc(true);
      dropProgramPages();
    }
  }
}

/** Commands of a daemon. What it does not read fast enough is waited for: its requests are few, and so are the answers. */
function control(loop: EventLoop, service: NameService, fd: number): void {
  const buffer = Buffer.allocUnsafe(RECEIVE_BYTES);
  const lines = new LineReader();
  let unsent = Buffer.alloc(0);
  const close = (): void => {
    loop.forget(fd);
    closeSocket(fd);
  };
  const flush = (): void => {
    const sent = unsent.length === 0 ? 0 : sendSome(fd, unsent);
    if (sent === undefined) return close();
    unsent = unsent.subarray(sent);
    loop.watch(fd, { readable, writable: flush }, { write: unsent.length > 0 });
  };
  const readable = (): void => {
    const data = receiveSome(fd, buffer);
    if (data === 'later') return;
    if (data === undefined) return close();
    try {
      const answers = lines.push(data).map((line) => `${JSON.stringify(perform(service, line))}\n`);
      if (answers.length === 0) return;
      unsent = Buffer.concat([unsent, Buffer.from(answers.join(''))]);
    } catch {
      return close();
    }
    flush();
  };
  loop.watch(fd, { readable, writable: flush });
}

function perform(service: NameService, line: string): ControlAnswer {
  const request = JSON.parse(line) as ControlRequest;
  try {
    return { id: request.id, value: valueOf(service, request) };
  } catch (error) {
    return { id: request.id, error: messageOf(error) };
  }
}

function valueOf(service: NameService, request: ControlRequest): unknown {
  switch (request.do) {
    case 'adopt':
      return service.adopt(request.state);
    case 'serve':
      return service.serve(request.container);
    case 'forget':
      return service.forget(request.containerId);
    case 'add':
      return service.add(request.endpoint);
    case 'remove':
      return service.remove(request.endpointId);
    case 'stop':
      return process.exit(0);
  }
}
