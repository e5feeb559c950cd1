import { expect, test } from 'bun:test';
import type { ImageProcessConfig } from '../../oci/image-config.ts';
import { applyChanges, emptyProcessConfig } from './import-changes.ts';

const apply = (...changes: string[]): Partial<ImageProcessConfig> => {
  const empty = emptyProcessConfig() as unknown as Record<string, unknown>;
  const changed = applyChanges(emptyProcessConfig(), changes);
  return Object.fromEntries(
    Object.entries(changed).filter(
      ([key, value]) => JSON.stringify(value, big) !== JSON.stringify(empty[key], big),
    ),
  );
};
const big = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value);

// Each row was seen on Docker 28.5: POST /images/create?fromSrc=-&changes=…
test("applyChanges() does what Docker's import does", () => {
  expect(apply('CMD ["sh","-c"]')).toEqual({ cmd: ['sh', '-c'] });
  expect(apply('CMD ls -l')).toEqual({ cmd: ['/bin/sh', '-c', 'ls -l'] });
  expect(apply('entrypoint ls -l')).toEqual({ entrypoint: ['/bin/sh', '-c', 'ls -l'] });
  expect(apply('ENV A=b C=d', 'ENV A=e')).toEqual({ env: ['A=e', 'C=d'] });
  expect(apply('ENV A b  c')).toEqual({ env: ['A=b  c'] });
  expect(apply('ENV A="b c" D=e\\ f')).toEqual({ env: ['A=b c', 'D=e f'] });
  expect(apply('ENV A=e', 'ENV T=$A S=\'x\\y\' Q="a\\b" U=${B:-d}${A:+f}\\$A')).toEqual({
    env: ['A=e', 'T=e', 'S=x\\y', 'Q=a\\b', 'U=df$A'],
  });
  expect(apply('EXPOSE 80 53/udp 8000-8002')).toEqual({
    exposedPorts: ['80/tcp', '53/udp', '8000/tcp', '8001/tcp', '8002/tcp'],
  });
  expect(apply('LABEL a=b "c d"=e')).toEqual({ labels: { a: 'b', 'c d': 'e' } });
  expect(apply('USER 1000:1000')).toEqual({ user: '1000:1000' });
  expect(apply('VOLUME ["/a b","/c"]')).toEqual({ volumes: ['/a b', '/c'] });
  expect(apply('VOLUME /x /y')).toEqual({ volumes: ['/x', '/y'] });
  expect(apply('WORKDIR /a', 'WORKDIR b/../c')).toEqual({ workingDir: '/a/c' });
  expect(apply('ONBUILD RUN make')).toEqual({ onBuild: ['RUN make'] });
  expect(apply('STOPSIGNAL SIGTERM')).toEqual({ stopSignal: 'SIGTERM' });
  expect(apply('HEALTHCHECK --interval=5s --retries=2 CMD true').healthcheck).toMatchObject({
    test: ['CMD-SHELL', 'true'],
    intervalNs: 5_000_000_000n,
    retries: 2,
  });
  expect(apply('HEALTHCHECK CMD ["a"]').healthcheck?.test).toEqual(['CMD', 'a']);
  expect(apply('HEALTHCHECK NONE').healthcheck?.test).toEqual(['NONE']);
});

test("applyChanges() refuses in Docker's words", () => {
  for (const [change, message] of [
    ['RUN x', 'RUN is not a valid change command'],
    ['FOO x', 'FOO is not a valid change command'],
    ['EXPOSE abc', 'Invalid containerPort: abc'],
    ['ENV A', 'ENV must have two arguments'],
    ['STOPSIGNAL FOO', 'invalid signal: FOO'],
    ['HEALTHCHECK x', 'Unknown type "X" in HEALTHCHECK (try CMD)'],
    ['USER', 'USER requires exactly one argument'],
  ] as const)
    expect(() => apply(change)).toThrow(message);
});

test('a variable that doubles itself is stopped', () => {
  expect(() => apply('ENV A=xxxxxxxx', ...Array<string>(60).fill('ENV A=$A$A'))).toThrow(/longer than/);
});
