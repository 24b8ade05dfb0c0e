import type { Pause } from '@sluice/schema'
import type { NodePicture, Picture, StepMark, StepPicture } from './picture.ts'
import { stepKey } from './picture.ts'
import { cut, fill, lasting, plain, widthOf, within } from './text.ts'

export type Style = 'bold' | 'dim' | 'green' | 'red' | 'yellow' | 'cyan'
export type Paint = (style: Style, text: string) => string

export interface Screen {
  width: number
  height: number
  /** Milliseconds, by the server's clock as far as it is known. */
  now: number
  paint: Paint
  /** How this program is called, for the commands that are shown. */
  program: string
}

const marks: Record<StepMark, [sign: string, style: Style]> = {
  pending: ['·', 'dim'],
  running: ['●', 'cyan'],
  waiting: ['◆', 'yellow'],
  retrying: ['↻', 'yellow'],
  completed: ['✔', 'green'],
  failed: ['✖', 'red'],
  skipped: ['–', 'dim'],
  cancelled: ['⊘', 'dim'],
  undoing: ['↶', 'yellow'],
  undone: ['↶', 'dim'],
}

const waits = {
  pause: 'waits for a person',
  report: 'waits for a report',
  signal: 'waits for a signal',
  retry: 'waits to be tried again',
  timer: 'waits',
  child: 'waits for its workflow',
  queue: 'waits for its turn',
  rate: 'waits for its turn',
  hold: 'held',
  version: 'waits for a newer server',
} as const

const spinner = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']
const busy = new Set<StepMark>(['running', 'waiting', 'retrying', 'undoing'])

interface Row {
  lead: string
  mark: StepMark
  name: string
  note: string
}

/** The run as lines: none wider than the screen, but for commands, and no more than fit on it while anything can be left out. */
export function view(picture: Picture, screen: Screen): string[] {
  const { width, height, paint } = screen
  const head = [headOf(picture, screen), '']
  const pauses = pausesOf(picture, screen)
  const reason = picture.reason ? ['', paint('red', cut(`  ${plain(`${picture.reason.code}: ${picture.reason.message}`)}`, width))] : []
  const said = picture.said.length === 0 ? [] : ['', ...picture.said.map((line) => paint('dim', cut(`  ${plain(line)}`, width)))]
  const hint = picture.endedAt === null ? ['', paint('dim', cut('  Ctrl-C leaves; the run goes on', width))] : []
  const rows = rowsOf(picture, screen)
  // The last line of a terminal is the cursor's. Where it is narrow, what was said goes first, then the hint.
  const free = height - 1 - head.length - pauses.length - wrapped(picture, screen) - reason.length
  const isRoomy = free - hint.length - said.length >= Math.min(rows.length, 8)
  const isNarrow = free - hint.length < Math.min(rows.length, 4)
  const around = [...(isRoomy ? said : []), ...pauses, ...reason, ...(isNarrow ? [] : hint)]
  const room = Math.max(1, free - (isRoomy ? said.length : 0) - (isNarrow ? 0 : hint.length))
  return [...head, ...fitted(rows, room, screen), ...around]
}

/** What the commands, which are never cut, take beyond their own lines. */
const wrapped = ({ pauses }: Picture, screen: Screen): number =>
  [...pauses.values()].reduce((lines, pause) => lines + Math.max(0, Math.ceil(widthOf(commandOf(pause, screen)) / screen.width) - 1), 0)

function headOf(picture: Picture, { width, now, paint }: Screen): string {
  const took = picture.startedAt === null ? '' : ` · ${lasting((picture.endedAt ?? now) - picture.startedAt)}`
  const style: Style =
    picture.status === 'completed' ? 'green' : picture.status === 'failed' ? 'red' : picture.status === 'waiting' || picture.status === 'held' ? 'yellow' : 'cyan'
  const tail = ` ${plain(picture.status)}${took}`
  const title = cut(plain(`${picture.title} · ${picture.id}`), Math.max(8, width - widthOf(tail)))
  return `${paint('bold', title)}${paint(style, cut(tail, Math.max(0, width - widthOf(title))))}`
}

function rowsOf(picture: Picture, screen: Screen): Row[] {
  const rowOf = (node: NodePicture, iteration: string, lead: string): Row => {
    const step = picture.steps.get(stepKey(node.id, iteration))
    return { lead, mark: step?.mark ?? 'pending', name: node.name, note: step ? noteOf(step, screen) : '' }
  }
  const branch = (nodes: readonly NodePicture[], iteration: string, lead: string): Row[] =>
    nodes.flatMap((node) => {
      const row = rowOf(node, iteration, lead)
      if (node.body.length === 0) return [row]
      const rounds = roundsOf(picture, node, iteration)
      if (rounds.all.length > 0)
        row.note = joined(
          row.note,
          `${rounds.done} ${rounds.done === 1 ? 'round' : 'rounds'} done${rounds.done < rounds.all.length ? `, ${rounds.all.length - rounds.done} under way` : ''}`,
        )
      return [row, ...rounds.shown.flatMap((round) => inBody(branch(node.body, round, ''), round, lead))]
    })
  return branch(picture.nodes, '', '')
}

/** The rounds of a body that have begun, and those of them that are worth a look: what is under way, and what failed. */
function roundsOf(picture: Picture, node: NodePicture, above: string): { all: string[]; done: number; shown: string[] } {
  const members = new Set(node.body.map(({ id }) => id))
  const rounds = new Map<string, StepPicture[]>()
  for (const step of picture.steps.values()) {
    const isBelow = members.has(step.nodeId) && step.iteration.split('.').slice(0, -1).join('.') === above
    if (isBelow) rounds.set(step.iteration, [...(rounds.get(step.iteration) ?? []), step])
  }
  const all = [...rounds.keys()].toSorted((a, b) => Number(a.split('.').at(-1)) - Number(b.split('.').at(-1)))
  const isBusy = (round: string): boolean => rounds.get(round)!.some(({ mark }) => busy.has(mark))
  const isFailed = (round: string): boolean => rounds.get(round)!.some(({ mark }) => mark === 'failed')
  const underWay = all.filter(isBusy)
  const mark = picture.steps.get(stepKey(node.id, above))?.mark
  const over = picture.endedAt !== null || mark === undefined || !busy.has(mark)
  // Between two rounds nothing is busy for a moment: the last one stays, so that the picture does not jump.
  const shown = all.filter((round) => isBusy(round) || isFailed(round) || (!over && underWay.length === 0 && round === all.at(-1)))
  return { all, done: all.length - underWay.length, shown }
}

function inBody(rows: Row[], round: string, lead: string): Row[] {
  const number = `#${Number(round.split('.').at(-1)) + 1} `
  return rows.map((row, at) => {
    const isFirst = at === 0
    const isLast = at === rows.length - 1
    const isOwn = row.lead === ''
    const line = isLast ? '└ ' : '├ '
    return { ...row, lead: `${lead}${isOwn ? line : '│ '}${isFirst ? number : ' '.repeat(number.length)}${row.lead}` }
  })
}

function noteOf(step: StepPicture, { now }: Screen): string {
  const { mark, startedAt, endedAt, retryAt, attempt, error } = step
  const took = startedAt === null ? '' : lasting((endedAt ?? now) - startedAt)
  const again = attempt > 1 ? `attempt ${attempt}` : ''
  const why = error === null ? '' : plain(error)
  switch (mark) {
    case 'retrying':
      return joined(`attempt ${attempt + 1} ${retryAt !== null && retryAt > now ? `in ${within(retryAt - now)}` : 'now'}`, why)
    case 'waiting':
      return joined(took, step.waitingFor ? waits[step.waitingFor] : 'waits')
    case 'running':
      return joined(took, again)
    case 'skipped':
    case 'cancelled':
      return mark
    case 'undoing':
      return 'is being undone'
    case 'undone':
      return 'undone'
    default:
      return joined(took, again, why)
  }
}

const joined = (...parts: string[]): string => parts.filter((part) => part !== '').join('  ')

function lineOf({ lead, mark, name, note }: Row, column: number, { width, now, paint }: Screen): string {
  const [sign, style] = marks[mark]
  const shown = mark === 'running' ? spinner[Math.floor(now / 100) % spinner.length]! : sign
  const named = fill(`${lead}`, widthOf(lead)) + fill(plain(name), Math.max(4, column - widthOf(lead)))
  const free = width - 4 - widthOf(named) - 2
  const calm = mark === 'completed' || mark === 'pending' || mark === 'skipped' || mark === 'cancelled' || mark === 'undone'
  const noted = free > 3 ? cut(note, free) : ''
  return `  ${paint(style, shown)} ${mark === 'pending' || mark === 'skipped' ? paint('dim', named) : named}${noted === '' ? '' : `  ${paint(calm ? 'dim' : style, noted)}`}`.trimEnd()
}

/** What matters is shown before what is over or to come, of which the rest is counted. */
function fitted(rows: readonly Row[], room: number, screen: Screen): string[] {
  const weights = weightsOf(rows)
  const byWeight = rows.map((_, at) => at).toSorted((a, b) => weights[a]! - weights[b]! || a - b)
  let [few, many] = [0, rows.length]
  while (few < many) {
    const middle = Math.ceil((few + many) / 2)
    if (partsOf(rows, new Set(byWeight.slice(0, middle))).length <= room) few = middle
    else many = middle - 1
  }
  const parts = partsOf(rows, new Set(byWeight.slice(0, few)))
  const shown = parts.filter((part): part is Row => !Array.isArray(part))
  const column = Math.min(Math.max(...shown.map(({ lead, name }) => widthOf(lead) + widthOf(plain(name))), 4), Math.max(8, Math.floor(screen.width * 0.45)))
  return parts.map((part) => (Array.isArray(part) ? screen.paint('dim', cut(`  ⋯ ${counted(part)}`, screen.width)) : lineOf(part, column, screen)))
}

/** What becomes a line each: a row that is kept, or those between two of them. */
function partsOf(rows: readonly Row[], kept: ReadonlySet<number>): (Row | Row[])[] {
  const parts: (Row | Row[])[] = []
  rows.forEach((row, at) => {
    const last = parts.at(-1)
    if (kept.has(at)) parts.push(row)
    else if (Array.isArray(last)) last.push(row)
    else parts.push([row])
  })
  return parts
}

/** How far it is to what happens now: the nearer, the better. */
function weightsOf(rows: readonly Row[]): number[] {
  const weights = rows.map(({ mark }) => (busy.has(mark) || mark === 'failed' ? 0 : rows.length))
  for (let at = 1; at < rows.length; at++) weights[at] = Math.min(weights[at]!, weights[at - 1]! + 1)
  for (let at = rows.length - 2; at >= 0; at--) weights[at] = Math.min(weights[at]!, weights[at + 1]! + 1)
  return weights
}

function counted(rows: readonly Row[]): string {
  const counts = new Map<string, number>()
  for (const { mark } of rows) counts.set(mark === 'pending' ? 'to come' : mark, (counts.get(mark === 'pending' ? 'to come' : mark) ?? 0) + 1)
  return [...counts].map(([what, count]) => `${count} ${what}`).join(', ')
}

function pausesOf({ pauses }: Picture, screen: Screen): string[] {
  return [...pauses.values()].flatMap((pause) => ['', ...pauseLines(pause, screen)])
}

function pauseLines(pause: Pause, screen: Screen): string[] {
  const { step, message, assignee, dueAt } = pause
  const due = dueAt === null ? '' : `, ${within(Date.parse(dueAt) - screen.now)} left`
  const asked = `  ${plain(step)} asks${assignee ? ` ${plain(assignee)}` : ''}: ${plain(message) || '(nothing)'}${due}`
  return [screen.paint('yellow', cut(asked, screen.width)), commandOf(pause, screen)]
}

/** To be copied. */
function commandOf({ id, form }: Pause, { program }: Screen): string {
  const required = form?.['required']
  const names = Array.isArray(required) ? required.filter((name) => typeof name === 'string') : []
  const inputs = names.length > 0 ? ` --inputs '{${names.map((name) => `${JSON.stringify(name)}: …`).join(', ')}}'` : ''
  return `  ${program} pauses decide ${plain(id)} approve${plain(inputs) && ` ${plain(inputs)}`}`
}
