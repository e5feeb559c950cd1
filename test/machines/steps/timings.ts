import { CHECKOUT, type StepContext, type StepOutcome } from '../step.ts';
import { tail } from './newcomer.ts';

/** The work, by its row's name: each command is timed by itself. All of it is the same on every machine. */
const WORK: Readonly<Record<string, { command: string; before?: string; times: number }>> = {
  pull: { before: 'sampan rmi -f $IMAGE', command: 'sampan pull -q $IMAGE', times: 3 },
  'removal of the image': { before: 'sampan pull -q $IMAGE', command: 'sampan rmi $IMAGE', times: 3 },
  'run --rm busybox true': { command: 'sampan run --rm busybox true', times: 7 },
  'exec CONTAINER true': { command: 'sampan exec bench true', times: 7 },
};

/** An image of some thousand files, in a registry beside the engine; both go when it's done. */
const PREPARATION = `
export PATH=${CHECKOUT}/bin:$PATH IMAGE=127.0.0.1:5099/bench DOCKER_HOST=unix:///run/sampan.sock
work=$(mktemp -d)
sampan registry serve --writable --addr 127.0.0.1:5099 --root $work/registry > $work/log 2>&1 & registry=$!
trap 'sampan rm -f bench; sampan rmi -f $IMAGE; kill $registry; wait $registry; rm -rf $work' EXIT
cat > $work/Dockerfile <<END
FROM busybox
COPY node_modules/@types node_modules/typescript /packages/
COPY src /src/
COPY test /test/
END
for wait in $(seq 120); do (: < /dev/tcp/127.0.0.1/5099) 2> /dev/null && break; sleep 1; done
sampan build -q -f $work/Dockerfile -t $IMAGE ${CHECKOUT} && sampan push -q $IMAGE || exit 1
sampan run -d --name bench busybox sleep 100000 || exit 1
timed() { before=$1; shift; eval "$before" > /dev/null 2>&1; s=$(date +%s%N); eval "$*" > /dev/null || exit 1; e=$(date +%s%N); echo "TOOK $(( (e - s) / 1000 ))"; }
`;

/** Medians in milliseconds, as cells whose names begin with `ms:`; the page makes ratios of them. */
export async function timings({ guest, log }: StepContext): Promise<StepOutcome> {
  const body = Object.entries(WORK).map(([name, { before = ':', command, times }]) =>
    [
      `echo "WORK ${name}"`,
      `for turn in $(seq ${times}); do timed '${before}' ${command.replaceAll('$', '\\$')}; done`,
    ].join('\n'),
  );
  const script = `${PREPARATION}${body.join('\n')}\n`;
  const { code, output, stdout } = await guest.run('bash -s', {
    stdin: new Blob([script]),
    limitMs: 3_600_000,
    log,
  });
  if (code !== 0) return { cells: {}, problems: [`The timings ended with ${code}: ${tail(output)}`] };
  return { cells: mediansOf(stdout), problems: [] };
}

/** From `WORK name` and `TOOK microseconds` lines. */
export function mediansOf(printed: string): Record<string, string> {
  const cells: Record<string, string> = {};
  for (const part of printed.split(/^WORK /m).slice(1)) {
    const took = [...part.matchAll(/^TOOK (\d+)$/gm)]
      .map(([, digits]) => Number(digits))
      .sort((a, b) => a - b);
    const median = took[Math.floor(took.length / 2)];
    if (median !== undefined) cells[`ms:${part.slice(0, part.indexOf('\n'))}`] = (median / 1000).toFixed(0);
  }
  return cells;
}
