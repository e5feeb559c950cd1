import type { CatalogEntry, Noun } from './command.ts';

export const NOUNS: readonly Noun[] = [
  { name: 'container', short: 'Manage containers' },
  { name: 'image', short: 'Manage images' },
  { name: 'manifest', short: 'Look into manifests and indexes at their registry' },
  { name: 'network', short: 'Manage networks' },
  { name: 'registry', short: 'Serve and manage a registry of images' },
  { name: 'system', short: 'Manage the engine' },
  { name: 'volume', short: 'Manage volumes' },
];

const RUN: CatalogEntry = {
  paths: ['container run', 'run'],
  short: 'Create and run a new container from an image',
  group: 'common',
  load: () => import('./commands/container/run.ts'),
};

/** Every command, each loaded only when it is called. */
export const CATALOG: readonly CatalogEntry[] = [
  RUN,
  {
    paths: ['container ls', 'container list', 'container ps', 'ps'],
    short: 'List containers',
    group: 'common',
    load: () => import('./commands/container/list.ts'),
  },
  {
    paths: ['image pull', 'pull'],
    short: 'Download an image from a registry',
    group: 'common',
    load: () => import('./commands/image/pull.ts'),
  },
  {
    paths: ['image push', 'push'],
    short: 'Upload an image to a registry',
    group: 'common',
    load: () => import('./commands/image/push.ts'),
  },
  {
    paths: ['image ls', 'image list', 'images'],
    short: 'List images',
    group: 'common',
    load: () => import('./commands/image/list.ts'),
  },
  {
    paths: ['login'],
    short: 'Log in to a registry',
    group: 'common',
    load: () => import('./commands/registry/login.ts'),
  },
  {
    paths: ['logout'],
    short: 'Log out of a registry',
    group: 'common',
    load: () => import('./commands/registry/logout.ts'),
  },
  {
    paths: ['search'],
    short: 'Look for images in a registry',
    group: 'common',
    load: () => import('./commands/registry/search.ts'),
  },
  {
    paths: ['version'],
    short: 'Show the versions of client and server',
    group: 'common',
    load: () => import('./commands/system/version.ts'),
  },
  {
    paths: ['system info', 'info'],
    short: 'Show what the daemon knows of its system',
    group: 'common',
    load: () => import('./commands/system/info.ts'),
  },
  {
    paths: ['container attach', 'attach'],
    short: 'Join the input, output and error streams of a running container',
    group: 'command',
    load: () => import('./commands/container/attach.ts'),
  },
  {
    paths: ['container commit', 'commit'],
    short: "Make an image of a container's changes",
    group: 'command',
    load: () => import('./commands/container/commit.ts'),
  },
  {
    paths: ['container cp', 'cp'],
    short: 'Copy files and folders between a container and the local file system',
    group: 'command',
    load: () => import('./commands/container/copy.ts'),
  },
  {
    paths: ['container create', 'create'],
    short: 'Create a new container',
    group: 'command',
    load: () => import('./commands/container/create.ts'),
  },
  {
    paths: ['container diff', 'diff'],
    short: "Inspect changes to files or directories on a container's filesystem",
    group: 'command',
    load: () => import('./commands/container/diff.ts'),
  },
  {
    paths: ['container export', 'export'],
    short: "Export a container's file system as a tar archive",
    group: 'command',
    load: () => import('./commands/container/export.ts'),
  },
  {
    paths: ['system events', 'events'],
    short: 'Show events of the daemon as they happen',
    group: 'command',
    load: () => import('./commands/system/events.ts'),
  },
  {
    paths: ['image history', 'history'],
    short: 'Show how an image came about',
    group: 'command',
    load: () => import('./commands/image/history.ts'),
  },
  {
    paths: ['image import', 'import'],
    short: 'Make an image from a tarball of a file system',
    group: 'command',
    load: () => import('./commands/image/import.ts'),
  },
  {
    paths: ['inspect'],
    short: 'Show everything about objects of the engine',
    group: 'command',
    load: () => import('./commands/system/inspect.ts'),
  },
  {
    paths: ['container kill', 'kill'],
    short: 'Kill one or more running containers',
    group: 'command',
    load: () => import('./commands/container/kill.ts'),
  },
  {
    paths: ['image load', 'load'],
    short: 'Load images from a tar archive or STDIN',
    group: 'command',
    load: () => import('./commands/image/load.ts'),
  },
  {
    paths: ['container logs', 'logs'],
    short: 'Show the logs of a container',
    group: 'command',
    load: () => import('./commands/container/logs.ts'),
  },
  {
    paths: ['container pause', 'pause'],
    short: 'Freeze all processes of one or more containers',
    group: 'command',
    load: () => import('./commands/container/pause.ts'),
  },
  {
    paths: ['container port', 'port'],
    short: "Show a container's published ports",
    group: 'command',
    load: () => import('./commands/container/port.ts'),
  },
  {
    paths: ['container rename', 'rename'],
    short: 'Rename a container',
    group: 'command',
    load: () => import('./commands/container/rename.ts'),
  },
  {
    paths: ['container restart', 'restart'],
    short: 'Restart one or more containers',
    group: 'command',
    load: () => import('./commands/container/restart.ts'),
  },
  {
    paths: ['container rm', 'container remove', 'rm'],
    short: 'Remove one or more containers',
    group: 'command',
    load: () => import('./commands/container/remove.ts'),
  },
  {
    paths: ['image rm', 'image remove', 'rmi'],
    short: 'Remove one or more images',
    group: 'command',
    load: () => import('./commands/image/remove.ts'),
  },
  {
    paths: ['image save', 'save'],
    short: 'Save images as a tar archive, to STDOUT unless told otherwise',
    group: 'command',
    load: () => import('./commands/image/save.ts'),
  },
  {
    paths: ['container start', 'start'],
    short: 'Start one or more stopped containers',
    group: 'command',
    load: () => import('./commands/container/start.ts'),
  },
  {
    paths: ['container stats', 'stats'],
    short: 'Show what containers use, as it changes',
    group: 'command',
    load: () => import('./commands/container/stats.ts'),
  },
  {
    paths: ['container stop', 'stop'],
    short: 'Stop one or more running containers',
    group: 'command',
    load: () => import('./commands/container/stop.ts'),
  },
  {
    paths: ['image tag', 'tag'],
    short: 'Give an image another name',
    group: 'command',
    load: () => import('./commands/image/tag.ts'),
  },
  {
    paths: ['container top', 'top'],
    short: 'Show the processes of a container',
    group: 'command',
    load: () => import('./commands/container/top.ts'),
  },
  {
    paths: ['container unpause', 'unpause'],
    short: 'Let the processes of one or more containers go on',
    group: 'command',
    load: () => import('./commands/container/unpause.ts'),
  },
  {
    paths: ['container wait', 'wait'],
    short: 'Wait until one or more containers stop, then print their exit codes',
    group: 'command',
    load: () => import('./commands/container/wait.ts'),
  },
  {
    paths: ['container inspect'],
    short: 'Show everything about one or more containers',
    load: () => import('./commands/container/inspect.ts'),
  },
  {
    paths: ['container prune'],
    short: 'Remove all stopped containers',
    load: () => import('./commands/container/prune.ts'),
  },
  {
    paths: ['image copy'],
    short: 'Copy an image from registry to registry',
    load: () => import('./commands/image/copy.ts'),
  },
  {
    paths: ['image diff'],
    short: 'Show how the files of two images differ',
    load: () => import('./commands/image/diff.ts'),
  },
  {
    paths: ['image inspect'],
    short: 'Show everything about one or more images',
    load: () => import('./commands/image/inspect.ts'),
  },
  {
    paths: ['image layers'],
    short: 'Show what each layer of an image brings and wastes',
    load: () => import('./commands/image/layers.ts'),
  },
  {
    paths: ['image prune'],
    short: 'Remove unused images',
    load: () => import('./commands/image/prune.ts'),
  },
  {
    paths: ['network inspect'],
    short: 'Show everything about one or more networks',
    load: () => import('./commands/network/inspect.ts'),
  },
  {
    paths: ['network ls', 'network list'],
    short: 'List networks',
    load: () => import('./commands/network/list.ts'),
  },
  {
    paths: ['volume inspect'],
    short: 'Show everything about one or more volumes',
    load: () => import('./commands/volume/inspect.ts'),
  },
  {
    paths: ['volume ls', 'volume list'],
    short: 'List volumes',
    load: () => import('./commands/volume/list.ts'),
  },
  {
    paths: ['volume prune'],
    short: 'Remove unused volumes',
    load: () => import('./commands/volume/prune.ts'),
  },
  {
    paths: ['volume rm', 'volume remove'],
    short: 'Remove one or more volumes',
    load: () => import('./commands/volume/remove.ts'),
  },
  {
    paths: ['manifest inspect'],
    short: 'Show the manifest or index that a registry has under a name',
    load: () => import('./commands/manifest/inspect.ts'),
  },
  {
    paths: ['system df'],
    short: 'Show what takes up the disk',
    load: () => import('./commands/system/disk-usage.ts'),
  },
  {
    paths: ['registry gc'],
    short: 'Remove what no image of a registry needs',
    load: () => import('./commands/registry/gc.ts'),
  },
  {
    paths: ['registry ls', 'registry list'],
    short: "List a registry's repositories, tags and sizes",
    load: () => import('./commands/registry/list.ts'),
  },
  {
    paths: ['registry serve'],
    short: 'Serve a registry, or a pull-through cache of another one',
    load: () => import('./commands/registry/serve.ts'),
  },
  {
    paths: ['system prune'],
    short: 'Remove what is not in use',
    load: () => import('./commands/system/prune.ts'),
  },
];
