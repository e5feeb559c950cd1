import { expect, test } from 'bun:test';
import { createLogger } from './daemon-logger.ts';

test('text is logfmt, json is JSON, and the level holds', () => {
  const lines: string[] = [];
  const text = createLogger({ level: 'info', format: 'text' }, (line) => lines.push(line));
  text.debug('not shown');
  text.warn('a "mirror" is\ngone', { host: '127.0.0.1:5000', tries: 3n });
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(
    /^time="20\S+Z" level=warning msg="a \\"mirror\\" is\\ngone" host="127\.0\.0\.1:5000" tries=3\n$/,
  );
  const json = createLogger({ level: 'debug', format: 'json' }, (line) => lines.push(line));
  json.debug('shown', { id: 'x' });
  expect(JSON.parse(lines[1] ?? '')).toMatchObject({ msg: 'shown', id: 'x' });
});
