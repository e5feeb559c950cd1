import { expect, test } from 'bun:test';
import type { DoctorCheck, DoctorReport } from '../../wire/doctor.ts';
import { doctorText } from './doctor-text.ts';

const check: DoctorCheck = {
  Name: 'storage',
  Subject: '',
  State: 'ok',
  Found: 'erofs',
  Details: [],
  Cost: '',
  Advice: '',
  Command: '',
};

function text(...checks: Partial<DoctorCheck>[]): string {
  const report: DoctorReport = {
    Version: 1,
    EngineVersion: '0.1.0',
    Running: true,
    State: 'ok',
    OperatingSystem: 'Debian GNU/Linux 12 (bookworm)',
    KernelVersion: '6.12.0',
    Architecture: 'x86_64',
    Checks: checks.map((one) => ({ ...check, ...one })),
  };
  return doctorText(report, { color: false });
}

test('a short report', () => {
  expect(
    text({}, { Name: 'disk', State: 'warning', Found: '1GB is free', Cost: 'pulls end', Command: 'df' }),
  ).toBe(
    `Sampan 0.1.0 on Debian GNU/Linux 12 (bookworm), kernel 6.12.0, x86_64

ok       storage  erofs
warning  disk     1GB is free
                  costs: pulls end
                  $ df

1 warning, 1 ok
`,
  );
});

test('fits 100 columns, however long a finding is', () => {
  const long = 'a word of some length, '.repeat(20);
  const path = `/very/${'long/'.repeat(40)}path`;
  const shown = text(
    { Found: long, Details: [path, long], Cost: long, Advice: path, Subject: path },
    { Found: path },
  );
  expect(Math.max(...shown.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
});

test('a command can be copied: its lines are joined, and nothing is cut within quotes', async () => {
  const quoted = `'${'a  b '.repeat(8)}'`;
  const command = `printf '%s|' ${quoted} one two three four five six seven eight nine ten eleven twelve`;
  const shown = text({ Command: command });
  const lines = shown.split('\n');
  const begin = lines.findIndex((line) => line.trim().startsWith('$ '));
  const end = lines.findIndex((line, at) => at >= begin && !line.endsWith('\\'));
  const typed = lines
    .slice(begin, end + 1)
    .join('\n')
    .trim()
    .slice(2);
  expect(end).toBeGreaterThan(begin);
  const [ours, theirs] = await Promise.all([typed, command].map((line) => Bun.$`sh -c ${line}`.text()));
  expect(ours).toBe(theirs ?? '');
});

test('what a registry or a file name says cannot steer the terminal', () => {
  const shown = text({ Found: '\x1b[2Jgone', Details: ['a\nb'] });
  expect(shown).not.toContain('\x1b');
  expect(shown).not.toMatch(/^b/m);
});
