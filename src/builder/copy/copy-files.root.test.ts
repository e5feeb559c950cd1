import { describe, expect, test } from 'bun:test';
import { copyCases } from './testing/copy-cases.ts';
import { dockerResults, ownResults } from './testing/copy-results.ts';
import { sampanCopy } from './testing/sampan-copy.ts';

describe('a layer of COPY or ADD is as BuildKit makes it:', () => {
  for (const copyCase of copyCases)
    test(copyCase.name, async () => {
      const expected = ownResults[copyCase.name] ?? dockerResults[copyCase.name];
      expect(expected).toBeDefined();
      expect(await sampanCopy(copyCase)).toEqual([...(expected ?? [])]);
    });
});
