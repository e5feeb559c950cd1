/** What a client may ask of a Dockerfile instead of a build. */
export const SUBREQUESTS = [
  request('frontend.outline', 'List all parameters current build target supports', [
    { name: 'target', description: 'Target build stage' },
  ]),
  request('frontend.targets', 'List all targets current build supports', []),
  request('frontend.lint', 'Lint a Dockerfile', []),
  request('frontend.subrequests.describe', 'List available subrequest types', []),
];

function request(name: string, description: string, opts: readonly { name: string; description: string }[]) {
  return {
    name,
    version: '1.0.0',
    type: 'rpc',
    description,
    opts,
    metadata: [
      { name: 'result.json' },
      { name: 'result.txt' },
      ...(name === 'frontend.lint' ? [{ name: 'result.statuscode' }] : []),
    ],
  };
}

/** The answer to `frontend.subrequests.describe`, by the names of a result's metadata. */
export function describeRequests(): Record<string, Uint8Array> {
  const width = Math.max(...SUBREQUESTS.map(({ name }) => name.length)) + 1;
  const rows = SUBREQUESTS.map(
    ({ name, version, description }) => `${name.padEnd(width)}${version}   ${description}\n`,
  );
  return {
    'result.json': Buffer.from(JSON.stringify(SUBREQUESTS, undefined, 2)),
    'result.txt': Buffer.from(`${'NAME'.padEnd(width)}VERSION DESCRIPTION\n${rows.join('')}`),
    version: Buffer.from('1.0.0'),
  };
}
