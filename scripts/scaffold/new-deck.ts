import { deckFile } from '../content/kit-layout.ts';
import { type NewFile, yamlOf } from './new-file.ts';

/** A deck with one card of each kind, to be replaced. */
export function newDeck(root: string, slug: string, title: string): NewFile {
  return { file: deckFile(root, slug), text: `${yamlOf({ title })}${CARDS}` };
}

const CARDS = `# An \`id\` is for good: reviews are kept under it. Text with ": " or "#" in it needs quotes, or \`|\`.
# Any card may have \`explain\`, \`section\` (an anchor of the lesson), \`source\` (https://…) and \`asOf\` (2026-11).
cards:
  # One right option. Every wrong one says why it is wrong.
  - id: example-choice
    kind: choice
    prompt: 'TODO: a situation, and a question about it.'
    options:
      - right: true
        text: What is right
      - text: What sounds right
        why: That first, then why it is not.

  # Which of two, and which fact would turn that round.
  - id: example-duel
    kind: duel
    prompt: 'TODO: a situation in which both come to mind.'
    options:
      - right: true
        text: This pattern
      - text: That one
        why: What it lacks here.
    flip:
      options:
        - right: true
          text: The fact that makes it the other one
        - text: A fact that changes nothing
          why: Why not.

  # Several right options.
  - id: example-choices
    kind: choices
    prompt: 'TODO: which of these …?'
    options:
      - right: true
        text: This
      - right: true
        text: And this
      - text: But not this
        why: Because of that.

  # 3 to 7 steps, in their right order.
  - id: example-order
    kind: order
    prompt: 'TODO: in which order …?'
    steps:
      - First
      - Then
      - Last

  # Numbers that are drawn afresh each time; \`tolerance: 0.05\` accepts 5 % more or less.
  - id: example-number
    kind: number
    prompt: 'TODO: {rate} calls a second take {seconds} s each. How many are in flight?'
    params:
      rate: { from: 10, to: 100, step: 10 }
      seconds: { of: [0.5, 2] }
    answer: rate * seconds
    unit: calls
    formula: rate × time = {rate} × {seconds} = {answer}

  # Code with one mistake. It need not compile.
  - id: example-bug
    kind: bug
    prompt: 'TODO: what is wrong here?'
    code: |
      for (;;) await call();
    options:
      - right: true
        text: It never gives up.
      - text: It waits too long between two calls.
        why: It does not wait at all.

  # Answered aloud, graded by oneself.
  - id: example-recall
    kind: recall
    prompt: 'TODO: explain … in one minute.'
    points:
      - What a good answer has
      - And what else
`;
