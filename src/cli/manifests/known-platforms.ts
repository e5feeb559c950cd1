/** What Go builds for (`go tool dist list`), by operating system; Docker's client knows fewer of them. */
const ARCHITECTURES: Readonly<Record<string, string>> = {
  aix: 'ppc64',
  android: '386 amd64 arm arm64',
  darwin: '386 amd64 arm arm64',
  dragonfly: 'amd64',
  freebsd: '386 amd64 arm arm64 riscv64',
  illumos: 'amd64',
  ios: 'amd64 arm64',
  js: 'wasm',
  linux: '386 amd64 arm arm64 loong64 mips mips64 mips64le mipsle ppc64 ppc64le riscv64 s390x',
  netbsd: '386 amd64 arm arm64',
  openbsd: '386 amd64 arm arm64 ppc64 riscv64',
  plan9: '386 amd64 arm',
  solaris: 'amd64',
  wasip1: 'wasm',
  windows: '386 amd64 arm arm64',
};

export function isKnownPlatform({ os, architecture }: { os: string; architecture: string }): boolean {
  if (!Object.hasOwn(ARCHITECTURES, os)) return false;
  return ARCHITECTURES[os]?.split(' ').includes(architecture) === true;
}
