import { expect, test } from 'bun:test';
import { MONITOR_PATIENCE_MS } from '../../runtime/conmon/task-watch.ts';
import { KILL_GRACE_MS } from './container-stops.ts';

test('a removal by force outlasts a monitor that hangs', () => {
  expect(KILL_GRACE_MS - MONITOR_PATIENCE_MS).toBeGreaterThanOrEqual(2000);
});
