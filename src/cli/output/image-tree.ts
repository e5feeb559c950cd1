import type { ImageSummary, ManifestSummary } from '../../client/model.ts';
import { formatPlatform } from '../../oci/platform.ts';
import { humanSize } from './human-size.ts';
import { ellipsis, shortId } from './labels.ts';
import { infoHeader, STYLES, styled, visibleWidth } from './styles.ts';

/** One line's values: an image, or one of its platforms. */
interface Details {
  id: string;
  diskUsage: string;
  contentSize: string;
  inUse: boolean;
}

interface Branch {
  platform: string;
  available: boolean;
  details: Details;
}

interface Root {
  names: string[];
  details: Details;
  branches: Branch[];
  created: number;
}

interface Column {
  title: string;
  width: number;
  right?: boolean;
  /** Left out: the name. */
  value?: (details: Details) => string;
  plain?: boolean;
}

const GAP = ' '.repeat(3);
const NARROWEST_NAME = 12;
const SMALLEST_SCREEN = 20;
const DEFAULT_SCREEN = 80;
const { bold, faint, blue, default: normal, lightYellow } = STYLES;
const TITLE = normal + bold;
const NAME = blue + bold;
const UNTAGGED = normal + faint;

/** `image ls --tree`: each image's names, and its platforms below. `width` is the screen's; 0 when there is none. */
export function imageTree(
  images: readonly ImageSummary[],
  { terminal, width }: { terminal: boolean; width: number },
): string {
  const screen = Math.max(width || DEFAULT_SCREEN, SMALLEST_SCREEN);
  const roots = images.map(rootOf).toSorted((a, b) => b.created - a.created);
  const chips = roots.some(({ details, branches }) =>
    [details, ...branches.map((each) => each.details)].some((each) => each.inUse),
  );
  const columns = fit(columnsOf({ terminal, chips }), roots, screen);
  const spaced = roots.some(({ branches }) => branches.length > 0);
  const colour = (style: string) => (terminal ? style : '');
  const warning =
    "WARNING: This is an experimental feature. The output may change and shouldn't be depended on.";
  // The titles are styled wherever they go, as Docker's are.
  const titles = columns.map((column) => cell(column, TITLE, column.title.toUpperCase())).join(GAP);
  const lines = [styled(colour(lightYellow), warning), legend(terminal, screen), '', titles];
  for (const root of roots) {
    const [label = '', ...above] = labelLines(root).reverse();
    // Names above the last stand alone, as wide as the screen.
    for (const name of above.reverse()) lines.push(styled(colour(NAME), truncate(name, width)));
    const style = root.names.length === 0 ? UNTAGGED : NAME;
    lines.push(line(columns, root.details, { label, labelStyle: colour(style), style: colour(normal) }));
    if (root.branches.length > 0 || spaced) lines.push(...branchLines(columns, root, colour), '');
  }
  return `${lines.join('\n')}\n`;
}

function branchLines(columns: readonly Column[], { branches }: Root, colour: (style: string) => string) {
  return branches.map(({ platform, available, details }, index) => {
    const style = colour(available ? normal : normal + faint);
    const label = `${index === branches.length - 1 ? '└─' : '├─'} ${platform}`;
    return line(columns, details, { label, labelStyle: style, style });
  });
}

function line(
  columns: readonly Column[],
  details: Details,
  { label, labelStyle, style }: { label: string; labelStyle: string; style: string },
): string {
  return columns
    .map((column) =>
      column.value === undefined
        ? cell(column, labelStyle, label)
        : cell(column, column.plain === true ? '' : style, column.value(details)),
    )
    .join(GAP);
}

function labelLines({ names }: Root): string[] {
  return names.length === 0 ? ['<untagged>'] : names.toSorted((a, b) => b.length - a.length);
}

function rootOf(image: ImageSummary): Root {
  const manifests = image.Manifests ?? [];
  const branches = manifests.filter((each) => each.Kind === 'image').map(branchOf);
  const content = manifests.reduce((sum, each) => sum + Number(each.Size.Content), 0);
  return {
    names: image.RepoTags ?? [],
    details: {
      id: image.Id,
      diskUsage: humanSize(image.Size, 3),
      contentSize: humanSize(content, 3),
      inUse: image.Containers > 0 || branches.some((each) => each.details.inUse),
    },
    branches,
    created: image.Created,
  };
}

function branchOf({ ID, Available, Size, ImageData }: ManifestSummary): Branch {
  return {
    platform: ImageData === undefined ? 'unknown' : formatPlatform(ImageData.Platform),
    available: Available,
    details: {
      id: ID,
      diskUsage: humanSize(Size.Total, 3),
      contentSize: humanSize(Size.Content, 3),
      inUse: (ImageData?.Containers ?? []).length > 0,
    },
  };
}

function columnsOf({ terminal, chips }: { terminal: boolean; chips: boolean }): Column[] {
  const extra = chips ? (terminal ? 3 : 1) : 0;
  return [
    { title: 'Image', width: 0 },
    { title: 'ID', width: 12, value: ({ id }) => shortId(id) },
    { title: 'Disk usage', width: 10, right: true, value: ({ diskUsage }) => diskUsage },
    { title: 'Content size', width: 12, right: true, value: ({ contentSize }) => contentSize },
    {
      title: 'Extra',
      width: Math.max('Extra'.length, extra),
      plain: true,
      value: ({ inUse }) => (chips ? (inUse ? chip(terminal) : ' '.repeat(extra)) : ''),
    },
  ];
}

/** The name takes what the others leave; of those the last go first where it is too little. */
function fit(columns: Column[], roots: readonly Root[], screen: number): Column[] {
  let room = screen;
  let kept = columns;
  for (const [index, { width }] of columns.entries()) {
    if (width === 0) continue;
    const taken = width + (index > 0 ? GAP.length : 0);
    if (room - taken < NARROWEST_NAME) {
      kept = columns.slice(0, index);
      break;
    }
    room -= taken;
  }
  const widest = Math.max(
    'Image'.length,
    ...roots.flatMap(({ names, branches }) => [
      ...names.map((name) => name.length),
      ...branches.map(({ platform }) => platform.length + BRANCH_BYTES),
    ]),
  );
  return kept.map((column, index) => (index === 0 ? { ...column, width: Math.min(room, widest) } : column));
}

/** Docker counts the bytes of `└─ `. */
const BRANCH_BYTES = 7;

function chip(terminal: boolean): string {
  return terminal ? '\x1b[38;5;0m\x1b[48;5;14m U \x1b[0m' : 'U';
}

function legend(terminal: boolean, screen: number): string {
  const text = `${infoHeader(terminal)} ${chip(terminal)} In Use `;
  return ' '.repeat(Math.max(0, screen - visibleWidth(text))) + text;
}

function cell({ width, right }: Column, style: string, text: string): string {
  const length = visibleWidth(text);
  if (length > width) return styled(style, truncate(text, width));
  const fill = ' '.repeat(width - length);
  return right === true ? fill + styled(style, text) : styled(style, text) + fill;
}

function truncate(text: string, width: number): string {
  return Array.from(text).length < width ? text : width <= 0 ? text : ellipsis(`${text}…`, width);
}
