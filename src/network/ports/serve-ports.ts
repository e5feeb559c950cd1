/**
 * The helper for published ports: `serve-ports.ts <control socket>`. One process for the ports of one daemon. It outlives the daemon, and
 * ends when it holds nothing and nobody speaks to it.
 */
import { unlinkSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { errnoCodeOf } from '../../errors/engine-error.ts';
import { LineReader } from '../names/control-messages.ts';
import type { ControlAnswer, ControlRequest } from './control-messages.ts';
import { HeldPort } from './held-port.ts';
import { keyOf, type PortHolding } from './published-ports.ts';
import { RelayBudget } from './relay-budget.ts';

/** For a daemon to connect to what it has started. */
const FIRST_CONNECTION_MS = 10_000;

if (import.meta.main) serve(process.argv[2] ?? '');

function serve(controlPath: string): void {
  const held = new Map<string, HeldPort>();
  const budget = new RelayBudget();
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
    converse(socket, held, budget);
  });
  server.on('error', () => process.exit(1));
  server.listen(controlPath);
  setTimeout(endIfUnused, FIRST_CONNECTION_MS);
}

function converse(socket: Socket, held: Map<string, HeldPort>, budget: RelayBudget): void {
  const lines = new LineReader();
  let last: Promise<void> = Promise.resolve();
  const answer = async (line: string): Promise<void> => {
    const request = JSON.parse(line) as ControlRequest;
    socket.write(`${JSON.stringify(await perform(held, request, budget))}\n`);
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

async function perform(
  held: Map<string, HeldPort>,
  request: ControlRequest,
  budget: RelayBudget,
): Promise<ControlAnswer> {
  const { id } = request;
  switch (request.do) {
    case 'hold':
      return { id, ...(await hold(held, request.holdings, budget)) };
    case 'drop':
      await drop(held, request.keys);
      return { id };
    case 'leave':
      await leave(held, request.holdings);
      return { id };
    case 'list':
      return { id, held: [...held.values()].flatMap(({ members }) => members), shares: true, routes: true };
  }
}

async function hold(
  held: Map<string, HeldPort>,
  holdings: readonly PortHolding[],
  budget: RelayBudget,
): Promise<Omit<ControlAnswer, 'id'>> {
  const made: PortHolding[] = [];
  for (const [at, holding] of holdings.entries()) {
    try {
      const key = keyOf(holding);
      const present = held.get(key);
      if (present?.isSharedBy(holding) === true) {
        if (present.put(holding)) made.push(holding);
        continue;
      }
      // The same again, for another container: its port is freed only after it was given anew.
      await drop(held, [key]);
      held.set(key, await HeldPort.open(holding, budget));
      made.push(holding);
    } catch (error) {
      await leave(held, made);
      return { error: { code: errnoCodeOf(error) ?? 'EIO', at } };
    }
  }
  return {};
}

/** A port goes with the last that has it. */
async function leave(held: Map<string, HeldPort>, holdings: readonly PortHolding[]): Promise<void> {
  for (const holding of holdings) {
    const key = keyOf(holding);
    const present = held.get(key);
    if (present?.remove(holding) === true) await drop(held, [key]);
  }
}

async function drop(held: Map<string, HeldPort>, keys: readonly string[]): Promise<void> {
  for (const key of keys) {
    const one = held.get(key);
    held.delete(key);
    await one?.close();
  }
}
