import { readFileSync } from 'node:fs';
import { ConmonRuntime } from '../conmon/conmon-runtime.ts';
import type { ProbedRuntime } from '../probe/probe.ts';
import type { TaskRequest } from '../runtime.ts';

// A daemon to be killed: starts the task described in the file that is named, says its handle, then reads its output for ever.
const { request, probed, directory } = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as {
  request: TaskRequest;
  probed: ProbedRuntime;
  directory: string;
};
const runtime = new ConmonRuntime({ directory, probed });
const handle = await runtime.create(request, { signal: new AbortController().signal });
const streams = await runtime.attach(handle);
await runtime.start(handle);
process.stdout.write(`${JSON.stringify(handle)}\n`);
for await (const _output of streams.output());
