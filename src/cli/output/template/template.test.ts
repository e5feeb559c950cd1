import { expect, test } from 'bun:test';
import { inspectValue } from '../inspect-value.ts';
import { Template } from './template.ts';
import { Struct } from './value.ts';

const DATA = { a: 'héllo', b: { c: 'C' }, l: ['x', 'y'], n: 3, z: null, t: true, f: 1.5 };

// What Go's text/template gives for these.
test.each([
  ['{{.a}} {{.b.c}}', 'héllo C'],
  ['{{range $i, $e := .l}}{{if $i}},{{end}}{{$i}}={{$e}}{{else}}none{{end}}', '0=x,1=y'],
  ['{{range .z}}{{else}}none{{end}}', 'none'],
  ['{{range $k, $v := .b}}{{$k}}:{{$v}}{{end}}', 'c:C'],
  ['{{json .l}} {{json .a}} {{json .z}}', '["x","y"] "héllo" null'],
  [
    '{{printf "%05d|%-5s|%5s|%q|%v|%t|%x|%.2f|%%" .n "x" "y" "z\\n" .l .t 255 .f}}',
    '00003|x    |    y|"z\\n"|[x y]|true|ff|1.50|%',
  ],
  ['{{.l | len}} {{len .a}} {{index .l 1}} {{index .b "c"}}', '2 6 y C'],
  ['{{with .nope}}x{{else with .b}}{{.c}}{{end}}', 'C'],
  ['a  {{- .n -}}  b', 'a3b'],
  ['{{/* note */}}x{{- /* note */ -}} y', 'xy'],
  ['{{if and .t (eq .n 3)}}yes{{else if .b}}b{{end}}', 'yes'],
  ['{{if or .z (not .t)}}a{{else}}b{{end}}', 'b'],
  [
    '{{eq .n 1 2 3}} {{ne .n 4}} {{lt .n 4}} {{le .n 3}} {{gt .a "a"}} {{ge .f 1.5}}',
    'true true true true true true',
  ],
  ['{{join .l "-" | upper}} {{title "ab cd"}} {{lower "AB"}} {{split "a,b" ","}}', 'X-Y Ab Cd ab [a b]'],
  ['{{truncate "abcdef" 3}}|{{pad "x" 1 2}}|{{slice "abc" 1 2}}', 'abc| x  |b'],
  ['{{$x := 1}}{{range .l}}{{$x = .}}{{end}}{{$x}}', 'y'],
  ['{{.nope}} {{.z}} {{.l}} {{.b}}', '<no value> <nil> [x y] map[c:C]'],
  ['{{print 1 2 "x" 3}}{{println "a" 1}}', '1 2x3a 1\n'],
  ['{{range .l}}{{if eq . "y"}}{{break}}{{end}}{{.}}{{end}}', 'x'],
  ['{{"quoted"}} {{`raw`}} {{\'a\'}} {{0x10}}', 'quoted raw 97 16'],
  ['{{html "<a>"}} {{urlquery "a b"}}', '&lt;a&gt; a+b'],
  ['{{(index .l 0)}}{{$.n}}', 'x3'],
])('%s', (source, expected) => {
  expect(new Template(source).execute(DATA)).toBe(expected);
});

test.each([
  ['{{.a', 'template: :1: unclosed action'],
  ['{{foo .ID}}', 'template: :1: function "foo" not defined'],
  ['{{if}}{{end}}', 'template: :1: missing value for if'],
  ['{{end}}', 'template: :1: unexpected {{end}}'],
  ['\n{{$x}}', 'template: :2: undefined variable "$x"'],
  ['{{if .a}}', 'template: :1: unexpected EOF'],
  ['{{"a', 'template: :1: unterminated quoted string'],
  ['{{break}}', 'template: :1: {{break}} outside {{range}}'],
])('%s does not parse', (source, message) => {
  expect(() => new Template(source)).toThrow(message);
});

test('a row has its fields and methods, and nothing else', () => {
  const row = new Struct(
    '*formatter.ContainerContext',
    { ID: () => 'x<' },
    { Label: (name) => `<${String(name)}>` },
  );
  expect(new Template('{{.ID}} {{.Label "a"}} {{json .}}').execute(row)).toBe('x< <a> {"ID":"x\\u003c"}');
  expect(() => new Template('{{.Foo}}').execute(row)).toThrow(
    'template: :1:2: executing "" at <.Foo>: can\'t evaluate field Foo in type *formatter.ContainerContext',
  );
});

test('inspect: structs refuse what they lack, maps have no value, nulls are what they stand for', () => {
  const value = inspectValue({
    Id: 'i',
    Config: { Labels: { x: 'y' }, Cmd: null },
    HostConfig: { Binds: null },
  });
  const run = (source: string) => new Template(source, { missingKey: 'error' }).execute(value);
  expect(
    run(
      '{{.ID}} {{.Config.Labels.nope}} {{.Config.Cmd}} {{json .HostConfig.Binds}} {{len .HostConfig.Binds}}',
    ),
  ).toBe('i <no value> [] null 0');
  expect(() => run('{{.Foo}}')).toThrow(
    'template: :1:2: executing "" at <.Foo>: map has no entry for key "Foo"',
  );
});

test('deep nesting is refused, not run', () => {
  expect(() => new Template('('.repeat(1000).replace(/^/, '{{'))).toThrow();
  expect(() => new Template('{{if .a}}'.repeat(1000))).toThrow();
});
