import { expect, test } from 'bun:test';
import { create } from '@bufbuild/protobuf';
import { failureOf } from '../../../test/support/failure-of.ts';
import { SolveRequestSchema } from '../protocol/generated/control_pb.ts';
import { type BuildRunPorts, BuildRuns } from './build-runs.ts';

test('a build to be driven by a client that is gone already ends at once', async () => {
  const runs = new BuildRuns({} as BuildRunPorts);
  const gone = AbortSignal.abort(new Error('the client is gone'));
  const request = create(SolveRequestSchema, { ref: 'driven' });
  expect(await failureOf(runs.solve(request, gone))).toHaveProperty('message', 'the client is gone');
  expect(runs.jobs.find('driven')?.endedNano).toBeDefined();
});
