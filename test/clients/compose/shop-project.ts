import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * An application of three services: a store that becomes healthy only once its first file is there, a front that waits for it and
 * publishes a port, a buyer that waits for the front and calls it by name. All of them `busybox`.
 *
 * The store answers with what its volume holds, so that who reaches it through two names has seen the volume too.
 */
const FILE = `services:
  store:
    image: busybox
    command: ["sh", "-c", "trap 'exit 0' TERM; sleep 1; echo apples >>/data/index.html; httpd -p 80 -h /data; echo store up; while :; do sleep 0.1; done"]
    volumes: ["goods:/data"]
    networks: {back: {aliases: [shelf]}}
    healthcheck: {test: ["CMD-SHELL", "test -s /data/index.html"], interval: 500ms, timeout: 5s, retries: 60}
  front:
    image: busybox
    command: ["sh", "-c", "trap 'exit 0' TERM; mkdir -p /www; until wget -qO /www/index.html http://shelf/; do sleep 0.1; done; httpd -p 80 -h /www && echo front up; while :; do sleep 0.1; done"]
    depends_on: {store: {condition: service_healthy}}
    ports: ["127.0.0.1::80"]
    networks: [back, front]
    healthcheck: {test: ["CMD", "wget", "-qO", "/dev/null", "http://127.0.0.1/"], interval: 500ms, timeout: 5s, retries: 60}
  buyer:
    image: busybox
    command: ["sh", "-c", "trap 'exit 0' TERM; until wget -qO /bought http://front/; do sleep 0.1; done; echo bought $$(cat /bought); while :; do sleep 0.1; done"]
    depends_on: {front: {condition: service_healthy}}
    networks: [front]
volumes: {goods: {}}
networks: {back: {internal: true}, front: {}}
`;

/** Write the project to a new folder below `parent`. @returns its folder. */
export function writeShop(parent: string): string {
  const folder = join(parent, 'shop');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'docker-compose.yml'), FILE);
  return folder;
}
