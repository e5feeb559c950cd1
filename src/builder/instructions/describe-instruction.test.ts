import { expect, test } from 'bun:test';
import { describeInstruction } from './describe-instruction.ts';
import { readMounts } from './expand-instruction.ts';
import { readInstruction } from './read-instructions.ts';

const variables = new Map([
  ['A', 'one'],
  ['T', 'shown'],
]);

test.each([
  ['run echo "$A" $B \\$C', 'RUN echo "one" $B $C'],
  ['RUN <<EOF\n echo x\necho y\nEOF\n', 'RUN <<EOF (echo x...)'],
  ['RUN <<EOF\necho $A\nEOF\n', 'RUN <<EOF (echo one)'],
  ['RUN cat <<EOF > /x\ny\nEOF\n', 'RUN cat <<EOF > /x'],
  ["RUN echo '", "RUN echo '"],
  ['RUN --mount=type=secret,id=t,env=T echo $T', 'RUN --mount=type=secret,id=t,env=T echo ****'],
  ['copy  "$A" $B /d', 'COPY  one  /d'],
  ['WORKDIR /$A', 'WORKDIR /one'],
])('%j is shown as %s', (text, shown) => {
  const instruction = readInstruction(text);
  const mounts = instruction.kind === 'run' ? readMounts(instruction, { word: (word) => word }) : [];
  expect(describeInstruction(instruction, { variables, escapeToken: '\\', mounts })).toBe(shown);
});
