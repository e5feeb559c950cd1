import { type Check, runChecks } from '../checks.ts';
import type { Guest } from '../guest.ts';
import type { PowerCut, StepContext, StepOutcome } from '../step.ts';

const ROUNDS = 20;
const REGISTRY = `setsid sampan registry serve --writable --addr 127.0.0.1:5096 --root /root/cut-registry > /dev/null 2>&1 & registry=$!`;
const PULLED = '127.0.0.1:5096/pulled';

/**
 * What goes on as the power fails: all of it at once, over and over. The registry's data lies on the same disk, and only read. What is printed is what
 * the engine has answered for: it must be there afterwards.
 */
const work = (round: number) => `
cd /root/sampan
export PATH=$PWD/bin:$PATH DOCKER_HOST=unix:///run/sampan.sock
${REGISTRY}
(while :; do sampan pull -q ${PULLED}; sampan rmi -f ${PULLED}; done) > /dev/null 2>&1 &
(while :; do printf 'FROM busybox\\nRUN echo %s > /n && head -c 3000000 /dev/urandom > /bytes\\nCOPY src/oci /oci\\n' "$(date +%N)" | sampan build -q -t cut-build -f - . 2> /dev/null | sed 's/^/BUILT /'; done) &
(n=${round * 100_000}; while :; do n=$((n + 1)); sampan run --rm -v cut-volume:/v busybox sh -c "echo $n > /v/new && sync && mv /v/new /v/n && sync" > /dev/null 2>&1 && echo "SYNCED $n"; done) &
(n=0; while :; do n=$((n + 1)); sampan run -d --name cut-$n busybox sh -c 'echo said; sleep 3' 2> /dev/null | sed 's/^/MADE /'; sampan rm -f cut-$((n - 2)) > /dev/null 2>&1; done) &
wait
`;

/** The last of what was answered for, as the host heard it. */
interface Promised {
  built: string;
  synced: string;
  made: string;
}

export function promisedBy(printed: string): Promised {
  const last = (word: string) =>
    [...printed.matchAll(new RegExp(`^${word} (\\S+)\n`, 'gm'))].at(-1)?.[1] ?? '';
  return { built: last('BUILT'), synced: last('SYNCED'), made: last('MADE') };
}

const PREPARATION: readonly Check[] = [
  [
    'systemd has the engine',
    `kill $(cat /run/sampan.pid) || true; eventually '! kill -0 $(cat /run/sampan.pid)'
node scripts/systemd.mjs install; eventually sampan version`,
  ],
  [
    'the images that are pulled',
    `printf 'FROM busybox\\nCOPY node_modules/@types /types\\nCOPY src /src\\nRUN cd / && find src types -type f -exec sha256sum {} + > /sums\\n' | sampan build -q -t kept -f - .
${REGISTRY}
eventually listens 5096; sampan tag kept ${PULLED}; sampan push -q ${PULLED}; sampan rmi ${PULLED}; kill $registry
sampan run -d --name kept-running --restart always kept sleep 1000000
sampan volume create kept-volume; sampan run --rm -v kept-volume:/v kept sh -c 'cp /sums /v/sums; sync'
sync`,
  ],
];

/** Of what was there before, nothing may have changed; of what was under way, nothing may be half there. */
const after = ({ built, synced, made }: Promised): Check[] => [
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
    'what was answered for is there: image, container, what was synced in a volume',
    [
      built && `sampan image inspect ${built} > /dev/null`,
      made && `sampan inspect ${made} > /dev/null`,
      synced && `[ "$(sampan run --rm -v cut-volume:/v busybox cat /v/n)" -ge ${synced} ]`,
    ]
      .filter(Boolean)
      .join('\n'),
  ],
  [
    'each image that is listed is whole',
    `for image in $(sampan images -q --no-trunc | sort -u); do sampan save $image > /root/whole.tar; sampan run --rm --entrypoint /bin/sh $image -c 'find / -xdev -type f -exec cat {} + > /dev/null' || [ "$(sampan image inspect -f '{{.RepoTags}}' $image)" = '[hello-world:latest]' ]; done`,
  ],
  [
    'each blob has the digest of its name',
    `cd /var/lib/sampan/content/blobs/sha256; for blob in *; do echo "$blob  $blob"; done | sha256sum -c --quiet`,
  ],
  [
    'each container that is listed can be looked at and removed',
    `for c in $(sampan ps -aq --filter name=cut-); do sampan inspect $c > /dev/null; sampan logs $c > /dev/null; sampan rm -f $c; done`,
  ],
  [
    'what is in no use can be removed, and goes from the disk',
    `sampan image prune -f; sampan builder prune -f; [ -z "$(sampan images -q --filter dangling=true)" ]`,
  ],
  ['the file system is whole', "! journalctl -k -b | grep -E 'EXT4-fs (error|warning)'"],
];

const COUNTS = `cd /root/sampan; export PATH=$PWD/bin:$PATH DOCKER_HOST=unix:///run/sampan.sock; eventually() { for turn in $(seq 240); do eval "$*" > /dev/null 2>&1 && return; sleep 0.5; done; }
eventually sampan version
echo "$(sampan images -q | sort -u | wc -l) images, $(ls /var/lib/sampan/content/blobs/sha256 | wc -l) blobs, $(sampan ps -aq | wc -l) containers"`;

/** The plug is pulled while the engine pulls, builds and runs; after each boot everything must be as it was. A campaign goes on where a run was ended. */
export async function powerCuts(context: StepContext): Promise<StepOutcome> {
  const { guest, say } = context;
  const problems = await runChecks(guest, PREPARATION, context.log);
  if (problems.length > 0) return { cells: { 'Power cuts': 'not run' }, problems, unfinished: true };
  const cuts = earlierCuts(context);
  while (cuts.length < ROUNDS) {
    say(`power cut ${cuts.length + 1} of ${ROUNDS}`);
    const cut = await cutOnce(cuts.length + 1, context);
    cuts.push(cut);
    say(`after ${cut.seconds} s of work: ${cut.seen}; ${cut.problems.join('; ') || 'nothing lost'}`);
    context.note(outcomeOf(cuts));
    if (cut.problems.length > 0) break;
  }
  return outcomeOf(cuts);
}

/** None, where the campaign was over or had found something. */
function earlierCuts({ earlier }: StepContext): PowerCut[] {
  return earlier?.unfinished === true && earlier.problems.length === 0 ? [...(earlier.cuts ?? [])] : [];
}

function outcomeOf(cuts: PowerCut[]): StepOutcome {
  const whole = cuts.filter(({ problems }) => problems.length === 0).length;
  return {
    cells: { 'Power cuts': `${whole} of ${cuts.length}: nothing lost, nothing half there` },
    problems: cuts.flatMap((cut, index) =>
      cut.problems.map((problem) => `Power cut ${index + 1}: ${problem}`),
    ),
    unfinished: cuts.length < ROUNDS,
    cuts,
  };
}

async function cutOnce(round: number, { machine, hardware, commit, log }: StepContext): Promise<PowerCut> {
  const seconds = 5 + Math.random() * 55;
  const working = machine.guest.run('bash -s', { stdin: new Blob([work(round)]), limitMs: 900_000 });
  await Bun.sleep(seconds * 1000);
  await machine.powerCut();
  const promised = promisedBy((await working).output);
  const guest = await machine.boot(hardware);
  const seen = await countsOf(guest);
  const problems = await runChecks(guest, after(promised), log);
  return { commit, seconds: seconds.toFixed(1), seen, problems };
}

async function countsOf(guest: Guest): Promise<string> {
  const { stdout } = await guest.run('bash -s', { stdin: new Blob([COUNTS]) });
  return stdout.trim();
}
