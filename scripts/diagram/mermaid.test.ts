import stringWidth from 'string-width';
import { expect, test } from 'vitest';
import { drawMermaid } from './mermaid.ts';

const breaker = `
stateDiagram-v2
  [*] --> Closed
  Closed --> Open: threshold crossed
  Open --> HalfOpen: wait is over
  HalfOpen --> Closed: probes succeed
  HalfOpen --> Open: a probe fails
`;

async function draw(source: string, width = 80): Promise<string> {
  const drawing = await drawMermaid(source, width);
  return 'lines' in drawing ? drawing.lines.join('\n') : `problem: ${drawing.problem}`;
}

test('a state machine is drawn with each transition on a line of its own', async () => {
  expect(await draw(breaker)).toBe(`      ●
      │
      ▼
╭──────────╮
│  Closed  │◄──────────────────────┐
╰─────┬────╯                       │
      │ threshold crossed          │
      ▼                            │
╭──────────╮                       │
│   Open   │◄───────────────────┐  │
╰─────┬────╯                    │  │
      │ wait is over            │  │
      ▼                         │  │
╭──────────╮                    │  │
│ HalfOpen ├── a probe fails ───┘  │
│          ├── probes succeed ─────┘
╰──────────╯`);
});

test('a chain goes across where there is room, and down where there is not', async () => {
  const source = 'flowchart LR\n  A[Client] -->|request| B{Breaker} -.-> C[(Service)]';
  expect(await draw(source)).toBe(`┌────────┐             ◇─────────◇    ╭─────────╮
│ Client ├── request ─►│ Breaker ├╌╌╌►│ Service │
└────────┘             ◇─────────◇    ╰─────────╯`);
  expect((await draw(source, 40)).split('\n')).toContain('     │ request');
});

test('nodes that share what follows them stand above it', async () => {
  const drawing = await draw('flowchart TD\n  a --> c\n  b --> c\n  c --> d');
  expect(drawing.match(/[a-d]/g)).toEqual(['a', 'b', 'c', 'd']);
});

test('arrows that cross on their way stay apart', async () => {
  expect(await draw('flowchart TD\n a --> b --> c --> d\n a --> c\n b --> d')).toBe(`┌───┐
│ a ├───┐
└─┬─┘   │
  │     │
  ▼     │
┌───┐   │
│ b ├───┼──┐
└─┬─┘   │  │
  │     │  │
  ▼     │  │
┌───┐   │  │
│ c │◄──┘  │
└─┬─┘      │
  │        │
  ▼        │
┌───┐      │
│ d │◄─────┘
└───┘`);
});

test('what a flowchart can say is understood', async () => {
  const drawing = await draw(`---
title: ignored
---
%% a comment
flowchart TD;
  classDef slow fill:#f00
  A["Retry (with jitter)"]:::slow & B --> C
  C -- two words --> D; C == thick ==> E
  C -. dotted .-> F
  C --"quoted"--> G
  C --x H
  subgraph zone [Zone one]
    I <--> J
  end
  C ~~~ I
  half-open --> I
  style-guide --> I
  J --> J
  K[first<br/>second &amp; third]
`);
  for (const label of [
    'Retry (with jitter)',
    'two words',
    'thick',
    'dotted',
    'quoted',
    '×',
    '(Zone one)',
    'half-open',
    'style-guide',
    'second & third',
  ]) {
    expect(drawing).toContain(label);
  }
});

test('what a state machine can say is understood', async () => {
  const drawing = await draw(`stateDiagram-v2
  direction LR
  state "Half open" as half
  state choice <<choice>>
  Closed: calls pass
  [*] --> Closed
  Closed --> choice
  choice --> half : due
  half --> [*]
  note right of half
    lets two
    probes through
  end note
  note left of Closed : the usual state
  state Outer {
    [*] --> Inner
  }
`);
  for (const label of [
    'Half open',
    'calls pass',
    'due',
    '◉',
    '(lets two probes through)',
    '(the usual state)',
    '(Outer)',
  ]) {
    expect(drawing).toContain(label);
  }
});

test('a sequence is drawn with its messages numbered and lost ones marked', async () => {
  const drawing = await draw(`sequenceDiagram
  autonumber
  participant C as Caller
  participant P as Payment service
  C->>+P: charge
  rect rgb(200, 200, 200)
    P--xC: answer
  end
  Note over C: no answer
  loop until paid
    C->>P: charge again
  end`);
  for (const label of [
    'Caller',
    '1. charge',
    '2. answer ×',
    'no answer',
    'loop',
    '3. charge again',
  ]) {
    expect(drawing).toContain(label);
  }
  expect(drawing).not.toContain('rgb');
});

test.each([
  ['flowchart LR\n  A --> B\n  A -->', '"A -->" is not understood from "" on'],
  ['flowchart LR\n  A@{ shape: rect } --> B', 'from "@{ shape: rect } --> B" on'],
  ['flowchart LR\n  A[f(x)] --> B', 'put the label f(x) in quotes: it has brackets in it'],
  ['flowchart LR\n  subgraph one\n  A\n  end\n  one --> B', '"one" is a group'],
  ['flowchart LR\n  subgraph one\n  A', 'a group is not ended'],
  ['stateDiagram-v2\n  A -> B', '"A -> B" is not understood'],
  ['stateDiagram-v2\n  note left of A', 'a note is not ended'],
  ['sequenceDiagram\n  A calls B', '"A calls B" is not understood'],
  ['sequenceDiagram\n  loop forever\n  A->>B: x', 'a block is not ended'],
  ['gantt\n  title x', '"gantt" is no kind of diagram'],
  ['flowchart LR', 'there is nothing in it'],
  ['', 'there is nothing in it'],
])('%j is not drawn: %s', async (source, problem) => {
  expect(await draw(source)).toContain(problem);
});

test('labels wrap to keep a drawing within the width; what cannot be narrower is not drawn', async () => {
  const sentence = 'a label with a good many words in it, so that it has to be wrapped';
  const source = `flowchart TD\n  A["${sentence}"] -->|${sentence}| B\n  A -->|${sentence}| C`;
  const drawing = await draw(source, 44);
  expect(Math.max(...drawing.split('\n').map((line) => stringWidth(line)))).toBeLessThanOrEqual(44);
  expect(await draw(source, 20)).toBe('problem: it is wider than 20 columns');
});
