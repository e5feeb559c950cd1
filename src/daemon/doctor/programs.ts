import { findInitProgram } from '../../runtime/probe/init-program.ts';
import { findProgram } from '../../runtime/probe/probe.ts';
import type { DoctorCheck } from '../../wire/doctor.ts';
import { type Check, finding } from './check.ts';

/** What the engine calls, the package that brings it, and what there is not without it. */
const NEEDED = { nft: 'nftables', ip: 'iproute2', nsenter: 'util-linux', unshare: 'util-linux' };
const WANTED: readonly { name: string; debian: string; what: string }[] = [
  { name: 'xz', debian: 'xz-utils', what: 'layers and archives packed with xz' },
  { name: 'bzip2', debian: 'bzip2', what: 'archives packed with bzip2' },
  { name: 'ps', debian: 'procps', what: 'top' },
  { name: 'git', debian: 'git', what: 'builds from git repositories' },
];

/** Other people's programs. */
export const checkPrograms: Check = {
  name: 'programs',
  async run(): Promise<DoctorCheck[]> {
    const missing = Object.entries(NEEDED).filter(([name]) => findProgram(name) === undefined);
    const unwanted = WANTED.filter(({ name }) => findProgram(name) === undefined);
    const absent = [
      ...unwanted,
      ...(hasInit() ? [] : [{ name: 'tini-static', debian: 'tini', what: '--init' }]),
    ];
    if (missing.length > 0)
      return [
        finding('programs', 'failure', `missing: ${missing.map(([name]) => name).join(', ')}`, {
          cost: 'the daemon does not start, or containers have no network',
          command: `apt-get install ${[...new Set(missing.map(([, debian]) => debian))].join(' ')}`,
        }),
      ];
    if (absent.length === 0) return [finding('programs', 'ok', 'all that the engine calls are here')];
    return [
      finding('programs', 'note', `missing: ${absent.map(({ name }) => name).join(', ')}`, {
        cost: `no ${absent.map(({ what }) => what).join(', no ')}`,
        command: `apt-get install ${absent.map(({ debian }) => debian).join(' ')}`,
      }),
    ];
  },
};

function hasInit(): boolean {
  try {
    return findInitProgram() !== '';
  } catch {
    return false;
  }
}
