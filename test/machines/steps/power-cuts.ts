import { type Check, runChecks } from '../checks.ts';
import type { StepContext, StepOutcome } from '../step.ts';

const REGISTRY = `setsid sampan registry serve --writable --addr 127.0.0.1:5096 --root /root/cut-registry > /dev/null 2>&1 &`;
const PULLED = '127.0.0.1:5096/pulled';

/** What goes on as the power fails: all of it at once, over and over. The registry's data lies on the same disk, and only read. */
const WORK = `
cd /root/sampan
export PATH=$PWD/bin:$PATH DOCKER_HOST=unix:///run/sampan.sock
${REGISTRY}
(while :; do sampan pull -q ${PULLED}; sampan rmi -f ${PULLED}; done) > /dev/null 2>&1 &
(while :; do printf 'FROM busybox\\nRUN echo %s > /n && head -c 3000000 /dev/urandom > /bytes\\nCOPY src/oci /oci\\n' "$(date +%N)" | sampan build -q -t cut-build -f - .; done) > /dev/null 2>&1 &
(while :; do sampan run --rm -v cut-volume:/v busybox sh -c 'date > /v/date; sync'; done) > /dev/null 2>&1 &
(n=0; while :; do n=$((n + 1)); sampan run -d --name cut-$n busybox sh -c 'echo said; sleep 3'; sampan rm -f cut-$((n - 2)); done) > /dev/null 2>&1 &
wait
`;

const PREPARATION: readonly Check[] = [
  [
    'the images that are pulled',
    `eventually sampan version
printf 'FROM busybox\\nCOPY node_modules/@types /types\\nCOPY src /src\\nRUN cd / && find src types -type f -exec sha256sum {} + > /sums\\n' | sampan build -q -t kept -f - .
${REGISTRY}
eventually listens 5096; sampan tag kept ${PULLED}; sampan push -q ${PULLED}; sampan rmi ${PULLED}; pkill -f 'addr 127.0.0.1:5096'
sampan run -d --name kept-running --restart always kept sleep 1000000
sampan volume create kept-volume; sampan run --rm -v kept-volume:/v kept sh -c 'cp /sums /v/sums; sync'
sync`,
  ],
];

/** Of what was there before, nothing may have changed; of what was under way, nothing may be half there. */
const AFTER: readonly Check[] = [
  ['the engine starts by itself', 'eventually systemctl is-active sampan.service; eventually sampan version'],
  [
    'what is to run always runs',
    `eventually '[ "$(sampan inspect -f "{{.State.Running}}" kept-running)" = true ]'; [ "$(sampan exec kept-running echo in)" = in ]`,
  ],
  [
    'files of an image are what they were',
    "sampan run --rm kept sh -c 'cd / && sha256sum -c /sums > /dev/null'",
  ],
  [
    'files of a volume are what they were',
    "sampan run --rm -v kept-volume:/v kept sh -c 'cmp /v/sums /sums'",
  ],
  [
    'each image that is listed is whole',
    `for image in $(sampan images -q --no-trunc | sort -u); do sampan save -o /root/whole.tar $image; sampan run --rm --entrypoint /bin/sh $image -c 'find / -xdev -type f -exec cat {} + > /dev/null'; done`,
  ],
  [
    'each blob has the digest of its name',
    `cd /var/lib/sampan/content/blobs/sha256; for blob in *; do echo "$blob  $blob"; done | sha256sum -c --quiet`,
  ],
  [
    'each container that is listed can be looked at and removed',
    `for c in $(sampan ps -aq --filter name=cut-); do sampan inspect $c > /dev/null; sampan logs $c > /dev/null; sampan rm -f $c; done`,
  ],
  ['the file system is whole', "! journalctl -k -b | grep -E 'EXT4-fs (error|warning)'"],
];

const ROUNDS = 5;

/** The plug is pulled while the engine pulls, builds and runs; after each boot everything must be as it was. Needs the engine with systemd. */
export async function powerCuts(context: StepContext): Promise<StepOutcome> {
  const { machine, log, say } = context;
  const hardware = { ...context.hardware, durable: true };
  await machine.shutDown();
  const problems = await runChecks(await machine.boot(hardware), PREPARATION, log);
  if (problems.length > 0) return { cells: { 'Power cuts': 'not run' }, problems };
  for (let round = 1; round <= ROUNDS; round++) {
    const seconds = 15 + Math.random() * 75;
    say(`power cut ${round} of ${ROUNDS}, after ${seconds.toFixed(1)} s of work`);
    const work = machine.guest.run('bash -s', { stdin: new Blob([WORK]), limitMs: 900_000 });
    await Bun.sleep(seconds * 1000);
    await machine.powerCut();
    await work;
    const guest = await machine.boot(hardware);
    const found = await runChecks(guest, AFTER, log);
    problems.push(...found.map((problem) => `Power cut ${round}: ${problem}`));
  }
  const cell = problems.length === 0 ? `${ROUNDS}, nothing lost` : `${ROUNDS}, ${problems.length} problems`;
  return { cells: { 'Power cuts': cell }, problems };
}
