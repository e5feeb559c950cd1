import { describe, expect, test } from 'bun:test';
import http2 from 'node:http2';
import { duplexPair } from 'node:stream';
import { failureOf } from '../../../test/support/failure-of.ts';
import { SessionStore } from './session-store.ts';

const headers = (id: string) => ({
  'x-docker-expose-session-uuid': id,
  'x-docker-expose-session-grpc-method': '/a.B/C, /d.E/F',
});
const never = new AbortController().signal;

/** The client's end of a connection on which it serves. */
function connection() {
  const [ours, theirs] = duplexPair();
  const server = http2.createServer();
  server.emit('connection', theirs);
  theirs.on('error', () => undefined);
  return { ours, theirs };
}

describe('SessionStore', () => {
  test('a build that comes before its session gets it', async () => {
    const store = new SessionStore();
    const waiting = store.get('one', never);
    const { ours, theirs } = connection();
    const served = store.serve(ours, headers('one'));
    const session = await waiting;
    expect(session.id).toBe('one');
    expect([session.offers('/A.b/c'), session.offers('/d.E/F'), session.offers('/x/y')]).toEqual([
      true,
      true,
      false,
    ]);
    theirs.destroy();
    ours.destroy();
    await served;
  });

  test('one who stops waiting hears his own reason, and others go on', async () => {
    const store = new SessionStore();
    const controller = new AbortController();
    const [first, second] = [store.get('one', controller.signal), store.get('one', never)];
    controller.abort(new Error('enough'));
    expect(String(await failureOf(first))).toContain('enough');
    const { ours } = connection();
    const served = store.serve(ours, headers('one'));
    expect((await second).id).toBe('one');
    ours.destroy();
    await served;
  });

  test('an id is one session’s while that is open, and free afterwards', async () => {
    const store = new SessionStore();
    const { ours } = connection();
    const served = store.serve(ours, headers('one'));
    expect(String(await failureOf(store.serve(connection().ours, headers('one'))))).toContain(
      'is open already',
    );
    ours.destroy();
    await served;
    const again = connection();
    const servedAgain = store.serve(again.ours, headers('one'));
    expect((await store.get('one', never)).id).toBe('one');
    store.close();
    again.ours.destroy();
    await servedAgain;
  });

  test('a client that ends its half is gone', async () => {
    const store = new SessionStore();
    const { ours, theirs } = connection();
    const served = store.serve(ours, headers('one'));
    theirs.end();
    await served;
  });

  test('a session without an id is refused', async () => {
    expect(String(await failureOf(new SessionStore().serve(connection().ours, {})))).toContain(
      'it has no id',
    );
  });
});
