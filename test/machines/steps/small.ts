import { type Check, runChecks, tallyOf } from '../checks.ts';
import type { StepContext, StepOutcome } from '../step.ts';

const SMALL = { memoryMb: 512, cores: 1 };
const REGISTRY = `setsid sampan registry serve --writable --addr 127.0.0.1:5097 --root /root/small-registry > /dev/null 2>&1 & registry=$!
eventually listens 5097`;
const IMAGE = '127.0.0.1:5097/node';

/** Before, with memory: an image with this Debian's Node and npm, filled up to 600 MB with what else is here. */
const PREPARATION: readonly Check[] = [
  [
    'an image of 600 MB, in a registry',
    `${REGISTRY}
tar -C / --hard-dereference -c bin sbin lib lib64 etc/ssl etc/npm etc/nodejs usr/bin/node usr/bin/npm usr/bin/npx usr/bin/env usr/bin/sh usr/bin/dash usr/bin/cat usr/lib/x86_64-linux-gnu usr/lib64 usr/share/nodejs usr/share/node_modules 2> /dev/null | sampan import -c 'ENV PATH=/usr/bin' - small-base
missing=$((610000000 - $(sampan image inspect -f '{{.Size}}' small-base)))
mkdir /root/small; [ $missing -le 0 ] || tar -C $PWD -c node_modules | head -c $missing > /root/small/more || [ -s /root/small/more ]
printf 'FROM small-base\\nCOPY . /more/\\n' | sampan build -q -t ${IMAGE} -f - /root/small
[ "$(sampan image inspect -f '{{.Size}}' ${IMAGE})" -ge 600000000 ]
sampan run --rm ${IMAGE} npm --version
sampan push -q ${IMAGE}; sampan rmi -f ${IMAGE} small-base; sampan builder prune -f; rm -r /root/small; kill $registry; sync`,
  ],
];

const CHECKS: readonly Check[] = [
  ['npm start', 'npm start; sampan run --rm busybox true; cat /run/sampan.pid > /root/small.pid'],
  [
    'the pull',
    `${REGISTRY}
sampan pull -q ${IMAGE}; kill $registry
sampan run --rm ${IMAGE} node -e 'console.log(1 + 1)' | grep -x 2`,
  ],
  [
    'a build of a Node application',
    `app=$(mktemp -d); mkdir $app/greeting
printf '{"name":"greeting","version":"1.0.0"}' > $app/greeting/package.json
printf 'module.exports = (who) => "hello " + who;' > $app/greeting/index.js
cat > $app/package.json <<'END'
{ "name": "app", "version": "1.0.0", "dependencies": { "greeting": "file:greeting" }, "scripts": { "build": "node build.js" } }
END
printf 'require("fs").writeFileSync("built", require("greeting")("world"))' > $app/build.js
cat > $app/Dockerfile <<'END'
FROM ${IMAGE}
WORKDIR /app
COPY package.json build.js ./
COPY greeting greeting
RUN npm install --offline --no-audit --no-fund
RUN npm run build
CMD ["sh", "-c", "cat built; echo"]
END
sampan build -q -t small-app $app; [ "$(sampan run --rm small-app)" = 'hello world' ]; rm -r $app`,
  ],
  [
    'twenty containers beside each other',
    `for i in $(seq 20); do sampan run -d --name small-$i busybox sleep 100000; done
for i in $(seq 20); do [ "$(sampan exec small-$i echo in)" = in ]; done
sampan rm -f $(for i in $(seq 20); do echo small-$i; done)`,
  ],
  [
    'nothing ran out of memory, and the daemon is the one that was started',
    `never 'journalctl -k -b | grep -iE "out of memory|oom-kill"'
cmp /run/sampan.pid /root/small.pid`,
  ],
];

/** The same machine with 512 MB and one core. */
export async function small({ machine, guest, hardware, log, say }: StepContext): Promise<StepOutcome> {
  const row = '512 MB, one core';
  const unprepared = await runChecks(guest, PREPARATION, log);
  if (unprepared.length > 0) return { cells: { [row]: 'not run' }, problems: unprepared };
  await machine.shutDown();
  say(`boots with ${SMALL.memoryMb} MB and one core`);
  const problems = await runChecks(await machine.boot({ ...hardware, ...SMALL }), CHECKS, log);
  const peak = await machine.guest.run(
    `awk '/VmHWM/ { print int($2 / 1024) }' /proc/$(cat /run/sampan.pid)/status`,
  );
  await machine.shutDown();
  await machine.boot(hardware);
  const cell = `${tallyOf(CHECKS, problems)}; the daemon's peak ${peak.stdout.trim() || '?'} MB`;
  return { cells: { [row]: cell }, problems };
}
