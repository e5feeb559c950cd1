import { afterAll, beforeAll, expect, test } from 'bun:test';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

/** Every method and path of API v1.51; `x` stands where a name is. */
const ENDPOINTS = `
GET /containers/json
POST /containers/create
GET /containers/x/json
GET /containers/x/top
GET /containers/x/logs
GET /containers/x/changes
GET /containers/x/export
GET /containers/x/stats
POST /containers/x/resize
POST /containers/x/start
POST /containers/x/stop
POST /containers/x/restart
POST /containers/x/kill
POST /containers/x/update
POST /containers/x/rename
POST /containers/x/pause
POST /containers/x/unpause
POST /containers/x/attach
GET /containers/x/attach/ws
POST /containers/x/wait
DELETE /containers/x
HEAD /containers/x/archive
GET /containers/x/archive
PUT /containers/x/archive
POST /containers/prune
GET /images/json
POST /build
POST /build/prune
POST /build/cancel
POST /images/create
GET /images/x/json
GET /images/x/history
POST /images/x/push
POST /images/x/tag
DELETE /images/x
GET /images/search
POST /images/prune
POST /auth
GET /info
GET /version
HEAD /_ping
GET /_ping
POST /commit
GET /events
GET /system/df
GET /images/x/get
GET /images/get
POST /images/load
POST /containers/x/exec
POST /exec/x/start
POST /exec/x/resize
GET /exec/x/json
GET /volumes
POST /volumes/create
GET /volumes/x
PUT /volumes/x
DELETE /volumes/x
POST /volumes/prune
GET /networks
GET /networks/x
DELETE /networks/x
POST /networks/create
POST /networks/x/connect
POST /networks/x/disconnect
POST /networks/prune
GET /plugins
GET /plugins/privileges
POST /plugins/pull
GET /plugins/x/json
DELETE /plugins/x
POST /plugins/x/enable
POST /plugins/x/disable
POST /plugins/x/upgrade
POST /plugins/create
POST /plugins/x/push
POST /plugins/x/set
GET /nodes
GET /nodes/x
DELETE /nodes/x
POST /nodes/x/update
GET /swarm
POST /swarm/init
POST /swarm/join
POST /swarm/leave
POST /swarm/update
GET /swarm/unlockkey
POST /swarm/unlock
GET /services
POST /services/create
GET /services/x
DELETE /services/x
POST /services/x/update
GET /services/x/logs
GET /tasks
GET /tasks/x
GET /tasks/x/logs
GET /secrets
POST /secrets/create
GET /secrets/x
DELETE /secrets/x
POST /secrets/x/update
GET /configs
POST /configs/create
GET /configs/x
DELETE /configs/x
POST /configs/x/update
GET /distribution/x/json
POST /session
POST /grpc
GET /containers/x/checkpoints
POST /containers/x/checkpoints
DELETE /containers/x/checkpoints/x
`
  .trim()
  .split('\n')
  .map((line) => line.split(' ') as [method: string, path: string]);

/** What is refused, by the words of the refusal, and why. */
const REFUSED: readonly [pattern: RegExp, status: number, why: string][] = [
  [/^\/(swarm|nodes|services|tasks|secrets|configs)\b/, 503, 'one host has no swarm'],
  [/^\/swarm\/(init|join)$/, 501, 'one host has no swarm'],
  [/^\/volumes\/x$/, 503, 'volumes of a cluster alone can be updated'],
  [/^\/plugins\b/, 501, 'managed plugins are root file systems with a protocol of their own'],
  [/^\/containers\/x\/checkpoints/, 501, 'an experiment of Docker that needs CRIU'],
  [/^\/commit$/, 501, 'not built yet'],
  [/^\/networks\/(create|x\/(connect|disconnect))$/, 501, 'not built yet'],
];

/** What the backend of this test says. */
const THE_FAKES = 'nothing is built here';

test('each endpoint of v1.51 is built, or refused for a reason that is listed', async () => {
  const wrong: string[] = [];
  for (const [method, path] of ENDPOINTS) {
    const signal = AbortSignal.timeout(400);
    const init: RequestInit = {
      method,
      signal,
      ...(method === 'GET' || method === 'HEAD' ? {} : { body: '{}' }),
    };
    const response = await server.request(`/v1.51${path}`, init).catch(() => undefined);
    // A stream that goes on has been built.
    if (response === undefined) continue;
    const text = await response.text().catch(() => '');
    const refusal = REFUSED.find(([pattern, status]) => pattern.test(path) && status === response.status);
    if (text.includes('page not found')) wrong.push(`${method} ${path}: no such page`);
    if (text.includes(THE_FAKES)) continue;
    if ((response.status === 501 || response.status === 503) && refusal === undefined)
      wrong.push(`${method} ${path}: refused without a reason: ${response.status} ${text.trim()}`);
    if (refusal !== undefined && !/not implemented|not a swarm manager|swarm is unavailable/.test(text))
      wrong.push(`${method} ${path}: refused without a word: ${text.trim()}`);
  }
  expect(wrong).toEqual([]);
}, 60_000);
