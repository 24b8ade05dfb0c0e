import { type Chapter, chapters, type Face } from './face.ts'
import { standings, stepFaces, stepStandings, stepWord, wordOf } from './statuses.ts'

/** docs/faces.md, out of what the tests of the story and of the statuses hold. */
export function pageOf(faces: readonly Face[]): string {
  const names = Object.keys(chapters) as Chapter[]
  const all = faces.flatMap((face) => names.flatMap((chapter) => (face.departures[chapter] ? [{ face, chapter, departure: face.departures[chapter] }] : [])))
  const worded = faces.filter(({ name }) => wordOf(name, 'running') !== null)
  return [
    '# What each face can say',
    '',
    'One story is told in every face by a test (`test/proof/story.test.ts`), which writes this page: a workflow is drawn and published, run, watched,',
    'asked about, answered, approved and cancelled. A dot is a chapter that the face says; a number is a departure, whose reason stands below.',
    'The test fails for a departure that works after all, and for one that is not listed.',
    '',
    table(
      ['', ...faces.map(({ title }) => title)],
      names.map((chapter) => [chapters[chapter], ...faces.map((face) => mark(all.findIndex((each) => each.face === face && each.chapter === chapter)))]),
    ),
    '',
    '## Departures',
    '',
    table(
      ['', 'face', 'chapter', 'because', 'what comes nearest', 'is answered'],
      all.map(({ face, chapter, departure: { why, tried, answered } }, at) => [
        String(at + 1),
        face.title,
        chapters[chapter],
        why,
        /^[A-Z]+ \//.test(tried) ? `\`${tried}\`` : tried,
        answered === 'nothing' ? 'without it' : String(answered),
      ]),
    ),
    '',
    '## Statuses',
    '',
    'The same run, as each face tells it (`test/proof/pairs.test.ts`, `test/proof/statuses.test.ts`). Of the Orchestrator first the task, then the state of the socket; PocketBase and',
    'the playground tell the conversation whose round it is.',
    '',
    table(
      ['', ...worded.map(({ title }) => title)],
      standings.map((standing) => [standing, ...worded.map(({ name }) => `\`${wordOf(name, standing)}\``)]),
    ),
    '',
    'A step: the task of PySpur, `invoke` of Medusa, and where the state of the Orchestrator has it.',
    '',
    table(
      ['', ...stepFaces.map((name) => faces.find((face) => face.name === name)!.title)],
      stepStandings.map((standing) => [standing, ...stepFaces.map((name) => (stepWord(name, standing) === null ? '' : `\`${stepWord(name, standing)}\``))]),
    ),
    '',
  ].join('\n')
}

const mark = (departure: number): string => (departure < 0 ? '·' : String(departure + 1))

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n')
}
