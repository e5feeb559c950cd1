/**
 * The helper for published ports: `serve-ports.ts <control socket>`. One process for the ports of one daemon. It outlives the daemon, and
 * ends when it holds nothing and nobody speaks to it.
 */
import { unlinkSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { errnoCodeOf } from '../../errors/engine-error.ts';
import { LineReader } from '../names/control-messages.ts';
import type { ControlAnswer, ControlRequest } from './control-messages.ts';
import { keyOf, type PortHolding } from './published-ports.ts';
import { openReservation, type Reservation } from './reservation.ts';

interface Held {
  holding: PortHolding;
  reservation: Reservation;
}

/** For a daemon to connect to what it has started. */
const FIRST_CONNECTION_MS = 10_000;

if (import.meta.main) serve(process.argv[2] ?? '');

function serve(controlPath: string): void {
  const held = new Map<string, Held>();
  const daemons = new Set<Socket>();
  const endIfUnused = (): void => {
    if (held.size > 0 || daemons.size > 0) return;
    try {
      unlinkSync(controlPath);
    } finally {
      process.exit(0);
    }
  };
  const server = createServer((socket) => {
    daemons.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      daemons.delete(socket);
      endIfUnused();
    });
    converse(socket, held);
  });
  server.on('error', () => process.exit(1));
  server.listen(controlPath);
  setTimeout(endIfUnused, FIRST_CONNECTION_MS);
}

function converse(socket: Socket, held: Map<string, Held>): void {
  const lines = new LineReader();
  let last: Promise<void> = Promise.resolve();
  const answer = async (line: string): Promise<void> => {
    const request = JSON.parse(line) as ControlRequest;
    socket.write(`${JSON.stringify(await perform(held, request))}\n`);
  };
  socket.on('data', (data: Uint8Array) => {
    try {
      for (const line of lines.push(data))
        last = last.then(() => answer(line)).catch(() => void socket.destroy());
    } catch {
      socket.destroy();
    }
  });
}

async function perform(held: Map<string, Held>, request: ControlRequest): Promise<ControlAnswer> {
  const { id } = request;
  switch (request.do) {
    case 'hold':
      return { id, ...(await hold(held, request.holdings)) };
    case 'drop':
      await drop(held, request.keys);
      return { id };
    case 'list':
      return { id, held: [...held.values()].map(({ holding }) => holding) };
  }
}

async function hold(
  held: Map<string, Held>,
  holdings: readonly PortHolding[],
): Promise<Omit<ControlAnswer, 'id'>> {
  const made: string[] = [];
  for (const [at, holding] of holdings.entries()) {
    try {
      const key = keyOf(holding);
      // The same again, for another container: its port is freed only after it was given anew.
      await drop(held, [key]);
      held.set(key, { holding, reservation: await openReservation(holding) });
      made.push(key);
    } catch (error) {
      await drop(held, made);
      return { error: { code: errnoCodeOf(error) ?? 'EIO', at } };
    }
  }
  return {};
}

async function drop(held: Map<string, Held>, keys: readonly string[]): Promise<void> {
  for (const key of keys) {
    const one = held.get(key);
    held.delete(key);
    await one?.reservation.close();
  }
}
