import { expect, test } from 'bun:test';
import { messageOf } from '../../../../errors/engine-error.ts';
import { parsePublish } from './ports.ts';

function told(spec: string): string {
  try {
    return JSON.stringify(parsePublish([spec]).bindings);
  } catch (error) {
    return messageOf(error);
  }
}

/** As the client of Docker 28.5 has it. */
test.each([
  ['99999', 'Invalid containerPort: 99999'],
  ['99999:80', 'Invalid hostPort: 99999'],
  ['80:80-', 'Invalid containerPort: 80-'],
  ['80-70:80', 'Invalid hostPort: 80-70'],
  ['8000-8010:80-82', 'Invalid ranges specified for container and host Ports: 80-82 and 8000-8010'],
  ['80/foo', 'Invalid proto: foo'],
  ['127.0.0.1', 'Invalid containerPort: 127.0.0.1'],
  ['127.0.0.1::', 'No port specified: 127.0.0.1::<empty>'],
  ['300.0.0.1:99999:80', 'Invalid ip address: 300.0.0.1'],
  ['[::1:80:80', "Invalid ip address [::1: address [::1:: missing ']' in address"],
  ['::1:80:80', 'Invalid ip address ::1: address ::1:: too many colons in address'],
  ['80:80:80:80', 'Invalid ip address 80:80: address 80:80:: too many colons in address'],
  ['[::1%eth0]:80:80', 'Invalid ip address: ::1%eth0'],
  [':', 'No port specified: :<empty>'],
  ['+80:80', 'Invalid hostPort: +80'],
  ['[::1]:80:80', '{"80/tcp":[{"HostIp":"::1","HostPort":"80"}]}'],
  ['80:80/SCTP', '{"80/sctp":[{"HostIp":"","HostPort":"80"}]}'],
])('-p %s', (spec, words) => {
  expect(told(spec)).toBe(words);
});
