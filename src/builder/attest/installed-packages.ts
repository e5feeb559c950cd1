import type { Tree } from '../../archive/tree.ts';
import { readContextFile } from '../load-dockerfile.ts';

/** A package that an image's own database says is installed. */
export interface InstalledPackage {
  type: 'deb' | 'apk';
  name: string;
  version: string;
  architecture: string;
  /** Source package, where it has another name. */
  source: string | undefined;
  license: string | undefined;
  maintainer: string | undefined;
}

/** The system that packages are of: `ID` and `VERSION_ID` of os-release. */
export interface SystemRelease {
  id: string;
  version: string;
}

const MAX_DATABASE_BYTES = 64 << 20;
const MAX_PACKAGES = 50_000;
/** Distroless images have a file for each package. */
const DPKG_FOLDER = 'var/lib/dpkg/status.d';

/** By name. What an image has no database of is nothing. */
export async function installedPackages(tree: Tree): Promise<InstalledPackage[]> {
  const found = [...(await debPackages(tree)), ...(await apkPackages(tree))].slice(0, MAX_PACKAGES);
  return found.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

export async function systemRelease(tree: Tree): Promise<SystemRelease | undefined> {
  const text = (await textAt(tree, 'etc/os-release')) ?? (await textAt(tree, 'usr/lib/os-release'));
  if (text === undefined) return undefined;
  const field = (name: string): string =>
    new RegExp(`^${name}=["']?([^"'\n]*)["']?$`, 'm').exec(text)?.[1] ?? '';
  return { id: field('ID'), version: field('VERSION_ID') };
}

async function debPackages(tree: Tree): Promise<InstalledPackage[]> {
  const texts = [await textAt(tree, 'var/lib/dpkg/status')];
  for (const name of ((await tree.list(DPKG_FOLDER)) ?? []).slice(0, MAX_PACKAGES))
    if (!name.endsWith('.md5sums')) texts.push(await textAt(tree, `${DPKG_FOLDER}/${name}`));
  return texts.flatMap((text) => (text === undefined ? [] : text.split(/\n\n+/).flatMap(debPackage)));
}

/** One paragraph of dpkg's status: what is removed, and left its configuration, isn't installed. */
function debPackage(paragraph: string): InstalledPackage[] {
  const field = (name: string): string | undefined =>
    new RegExp(`^${name}: *(.*)$`, 'm').exec(paragraph)?.[1]?.trim();
  const [name, version, status] = [field('Package'), field('Version'), field('Status')];
  if (name === undefined || version === undefined) return [];
  if (status !== undefined && !status.endsWith(' installed')) return [];
  const architecture = field('Architecture') ?? '';
  const source = field('Source')?.replace(/ .*$/, '');
  return [
    { type: 'deb', name, version, architecture, source, license: undefined, maintainer: field('Maintainer') },
  ];
}

async function apkPackages(tree: Tree): Promise<InstalledPackage[]> {
  const text =
    (await textAt(tree, 'lib/apk/db/installed')) ?? (await textAt(tree, 'usr/lib/apk/db/installed'));
  return text === undefined ? [] : text.split(/\n\n+/).flatMap(apkPackage);
}

function apkPackage(paragraph: string): InstalledPackage[] {
  const field = (letter: string): string | undefined =>
    new RegExp(`^${letter}:(.*)$`, 'm').exec(paragraph)?.[1]?.trim();
  const [name, version] = [field('P'), field('V')];
  if (name === undefined || version === undefined) return [];
  const architecture = field('A') ?? '';
  return [
    {
      type: 'apk',
      name,
      version,
      architecture,
      source: field('o'),
      license: field('L'),
      maintainer: field('m'),
    },
  ];
}

async function textAt(tree: Tree, path: string): Promise<string | undefined> {
  const bytes = await readContextFile(tree, path, MAX_DATABASE_BYTES);
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
}
