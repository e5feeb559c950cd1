import { expect, test } from 'bun:test';
import { proxyVariables } from './proxy-variables.ts';

const config = {
  proxies: {
    default: { httpProxy: 'http://p:1', noProxy: 'n', ftpProxy: 'f', allProxy: 'a' },
    'unix:///d.sock': { httpsProxy: 'http://own:1' },
  },
};

// As the stock client 28.2 adds them.
test('proxies are those of the daemon, or the default ones, in both spellings', () => {
  expect(proxyVariables({ config, endpoint: 'unix:///other' }, ['A', 'NO_PROXY', 'http_proxy'])).toEqual([
    ['HTTP_PROXY', 'http://p:1'],
    ['no_proxy', 'n'],
    ['FTP_PROXY', 'f'],
    ['ftp_proxy', 'f'],
    ['ALL_PROXY', 'a'],
    ['all_proxy', 'a'],
  ]);
  expect(proxyVariables({ config, endpoint: 'unix:///d.sock' }, [])).toEqual([
    ['HTTPS_PROXY', 'http://own:1'],
    ['https_proxy', 'http://own:1'],
  ]);
  expect(proxyVariables({ config: {}, endpoint: 'unix:///d.sock' }, [])).toEqual([]);
});
