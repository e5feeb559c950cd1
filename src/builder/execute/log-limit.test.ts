import { expect, test } from 'bun:test';
import { LogLimit } from './log-limit.ts';

function limited() {
  const clock = { ms: 0 };
  const written: string[] = [];
  const limit = new LogLimit(
    (_, data) => written.push(new TextDecoder().decode(data)),
    () => clock.ms,
  );
  const write = (bytes: number, stream: 1 | 2 = 1) => limit.write(stream, new Uint8Array(bytes).fill(120));
  return { clock, written, write, text: () => written.join('') };
}

test('says once that more came than 200 KiB in a second, and goes on when time has passed', () => {
  const { clock, write, text } = limited();
  write(200 << 10);
  expect(text()).not.toContain('clipped');
  write(10);
  write(10);
  expect(text().match(/\n\[output clipped, log limit 200KiB\/s reached\]\n/g)).toHaveLength(1);
  clock.ms = 1500;
  write(10);
  expect(text().endsWith('xxxxxxxxxx')).toBe(true);
});

test('after 2 MiB nothing more comes, however slowly', () => {
  const { clock, write, text } = limited();
  clock.ms = 60_000;
  write(2 << 20);
  write(1);
  expect(text().endsWith('\n[output clipped, log limit 2MiB reached]\n')).toBe(true);
  clock.ms = 600_000;
  write(5);
  expect(text().endsWith('reached]\n')).toBe(true);
});

test('what one stream has too much of is not taken from the other', () => {
  const { clock, write, text } = limited();
  clock.ms = 60_000;
  write((2 << 20) + 1);
  write(3, 2);
  expect(text().endsWith('reached]\nxxx')).toBe(true);
});
