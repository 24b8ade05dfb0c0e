import { Command, CommanderError, Option } from 'commander'
import type { Pause, Run, WorkflowSummary } from '@sluice/schema'
import type { RunHandle } from '../run-handle.ts'
import { exits, Failure, Interrupted, lineOf, name } from './failure.ts'
import { inputOf, objectOf } from './json-argument.ts'
import { leavable } from './leaving.ts'
import { openSession, type Session } from './session.ts'
import { plain, shown, table } from './text.ts'

const print = (text: string): void => void process.stdout.write(`${text}\n`)
const tell = (text: string): void => void process.stderr.write(`${text}\n`)

/** Carries out the command of these arguments, and gives its exit code. */
export async function run(argv: readonly string[]): Promise<number> {
  let url: string | null = null
  let code: number = exits.done
  const at = (where: string): void => void (url = where)
  const signedIn = async (): Promise<Session> => {
    const session = await openSession()
    at(session.url)
    return session
  }
  try {
    await commands(signedIn, at, (given) => void (code = given)).parseAsync(argv, { from: 'user' })
    return code
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exits.done : exits.failed
    if (error instanceof Interrupted) {
      if (error.message) tell(error.message)
      return exits.interrupted
    }
    tell(lineOf(error, url))
    return exits.failed
  }
}

const ends = `
Exit codes: 0 it is done, or the run completed; 1 it failed, the run ended otherwise, or it was asked wrongly; 130 left by Ctrl-C.
Environment: SLUICE_URL and SLUICE_KEY, before what login keeps; NO_COLOR.`

function commands(session: () => Promise<Session>, at: (url: string) => void, exit: (code: number) => void): Command {
  const program = new Command('sluice')
    .description('Sluice from the terminal: runs, decisions, types')
    .exitOverride()
    .addHelpText('after', ends)
    .showHelpAfterError(`Try: ${name()} --help`)

  program
    .command('login')
    .description('log in at a server: asks for the password, and keeps a key for this machine')
    .option('--url <address>', 'of the server; http://127.0.0.1:7878 unless it was another one before')
    .option('--key <key>', 'an API key in place of a password; - reads it from the input')
    .option('--email <email>', 'whose password is asked for')
    .option('--workspace <workspace>', 'its id or handle; your default one unless given')
    .action(async (options: { key?: string }) => {
      print(plain(await (await import('./login.ts')).login(options, at)))
      if (options.key !== undefined && options.key !== '-')
        tell('Others on this machine see the arguments of a command, and shells keep them: --key - reads the key from the input')
    })

  program
    .command('logout')
    .description('forget the login, and revoke the key that it made')
    .action(async () => print(await (await import('./login.ts')).logout(at)))

  program
    .command('pull')
    .description('write the types of the published workflows, for @sluice/client')
    .argument('[workflow...]', 'ids or handles; all of them unless given')
    .option('--out <file>', 'a .d.ts, with its values in a .js beside it, or one .ts', 'sluice.d.ts')
    .option('--check', 'write nothing; fail when the file is not up to date')
    .addHelpText(
      'after',
      "\nGive what is pulled to the client: import { versions } from './sluice.js', createClient({ url, apiKey, versions }).\nA start of a workflow that was published anew then throws VersionSkewError: pull again.",
    )
    .action(async (only: string[], { out, check = false }: { out: string; check?: boolean }) => {
      const { pull } = await import('./pull/pull.ts')
      const { files, workflows, unpublished, warnings } = await pull((await session()).sluice, { out, only, check })
      for (const warning of warnings) tell(warning)
      if (unpublished.length > 0) tell(plain(`Left out, as they were never published: ${unpublished.join(', ')}`))
      print(`${check ? 'Up to date' : 'Wrote'}: ${files.join(' and ')} (${workflows} ${workflows === 1 ? 'workflow' : 'workflows'})`)
    })

  addRuns(program.command('run').description('start and watch runs'), session, exit)
  addPauses(program.command('pauses').description('what waits for a person'), session)

  addWorkflows(program.command('workflows').description('the workflows of the server, and files of them'), session)
  return program
}

function addWorkflows(workflows: Command, session: () => Promise<Session>): void {
  workflows
    .command('list')
    .description('newest first')
    .option('--json', 'one JSON object a line')
    .action(async ({ json = false }: { json?: boolean }) => {
      const { sluice } = await session()
      const row = ({ handle, name: title, version, activity }: WorkflowSummary): string[] => [
        handle,
        version === null ? '-' : String(version),
        String(activity.runs),
        String(activity.active),
        title,
      ]
      await printAll(sluice.workflows.list(), json, ['HANDLE', 'VERSION', 'RUNS', 'ACTIVE', 'NAME'], row)
    })

  workflows
    .command('export')
    .description('write workflows as files, a .json each, named by their handles')
    .argument('[workflow...]', 'ids or handles; all that were drawn unless given')
    .option('--out <folder>', 'where to write them; - prints the one that is named', '.')
    .option('--versions <number>', 'how many versions of each, the newest ones', '1')
    .action(async (only: string[], { out, versions }: { out: string; versions: string }) => {
      const { exportAll, exportOne } = await import('./files.ts')
      const { sluice } = await session()
      if (out === '-') return print(await exportOne(sluice, only, versions))
      const files = await exportAll(sluice, { out, only, versions })
      for (const file of files) print(plain(file))
    })

  workflows
    .command('import')
    .description('make workflows of such files: new ones, also where there are some of the same name')
    .argument('<file...>', 'what was exported; - is what is piped in')
    .option('--json', 'the workflows as JSON, one a line')
    .action(async (files: string[], { json = false }: { json?: boolean }) => {
      const { importFile } = await import('./files.ts')
      const { sluice } = await session()
      for (const file of files) {
        const workflow = await importFile(sluice, file)
        const { handle, version } = workflow
        print(json ? JSON.stringify(workflow) : plain(`${file}: ${handle}${version === null ? '' : `, version ${version}`}`))
      }
    })
}

interface StartFlags {
  input?: string
  inputFile?: string
  idempotencyKey?: string
  wait?: boolean
  watch?: boolean
  json?: boolean
}

function addRuns(runs: Command, session: () => Promise<Session>, exit: (code: number) => void): void {
  runs
    .command('start')
    .usage('<workflow> [options] [--field value...] [-]')
    .description('start a run; its input is JSON, or what is piped in with -, or its fields')
    .argument('<workflow>', 'its id or handle')
    .argument('[fields...]', 'of the input, as --customer c_42 --amount 1250')
    .allowUnknownOption()
    .option('--input <json>', 'the input, as JSON')
    .option('--input-file <file>', 'a file with the input; - is what is piped in')
    .option('--idempotency-key <key>', 'started again with the same key, the same run is meant')
    .addOption(new Option('--wait', 'wait for the end, and print the output').conflicts('watch'))
    .option('--watch', 'follow the run to its end')
    .option('--json', 'the run as JSON, or with --watch its events, one a line')
    .addHelpText('after', ends)
    .action(async (workflow: string, rest: string[], { input, inputFile, idempotencyKey, wait, watch: isWatched, json = false }: StartFlags) => {
      if (workflow.startsWith('-')) throw new Failure(`Name the workflow first: ${name()} run start <workflow> ${workflow} …`)
      const given = await inputOf({ ...(input !== undefined && { input }), ...(inputFile !== undefined && { inputFile }), rest })
      const { sluice } = await session()
      const run = await sluice.workflow(workflow).start(given, idempotencyKey === undefined ? {} : { idempotencyKey })
      if (isWatched) return exit(await (await import('./watch.ts')).watch(sluice, run, { json }))
      if (wait) return exit(await awaited(run, json))
      print(json ? JSON.stringify(run.run) : plain(run.id))
      if (!json && process.stdout.isTTY) tell(plain(`Started. To watch it: ${name()} run watch ${run.id}`))
    })

  runs
    .command('watch')
    .description('follow a run to its end: live in a terminal, else one event a line')
    .argument('<id>', 'of the run')
    .option('--json', 'events as JSON, one a line')
    .addHelpText('after', ends)
    .action(async (id: string, { json = false }: { json?: boolean }) => {
      const { sluice } = await session()
      exit(await (await import('./watch.ts')).watch(sluice, await sluice.run(id), { json }))
    })
}

/** Nothing is shown until the end; Ctrl-C leaves the run alone. */
async function awaited(run: RunHandle, json: boolean): Promise<number> {
  const { exitOf } = await import('./watch.ts')
  await leavable(`The run goes on. To watch it: ${name()} run watch ${run.id}`, async (signal) => {
    while (run.run.endedAt === null) await run.wait({ until: 'finished' }, { signal })
  })
  const { status, output, reason }: Run = run.run
  if (json) print(JSON.stringify(run.run))
  else if (status === 'completed') print(shown(output))
  else tell(plain(`Run ${run.id} ended ${status}${reason ? `: ${reason.message}${reason.step ? ` (${reason.step})` : ''}` : ''}`))
  return exitOf(run.run)
}

const actions = ['approve', 'decline', 'override'] as const
const pauseStatuses = ['open', 'approved', 'declined', 'overridden', 'expired', 'cancelled'] as const

function addPauses(pauses: Command, session: () => Promise<Session>): void {
  pauses
    .command('list')
    .description('newest first')
    .addOption(new Option('--status <status>', 'of this status, or all').choices([...pauseStatuses, 'all']).default('open'))
    .option('--run <id>', 'of this run')
    .option('--json', 'one JSON object a line')
    .action(async ({ status, run: runId, json = false }: { status: (typeof pauseStatuses)[number] | 'all'; run?: string; json?: boolean }) => {
      const { sluice } = await session()
      const row = ({ id, runId: of, step, status: now, message }: Pause): string[] => [id, of, now, step, message]
      await printAll(sluice.pauses.list({ ...(status !== 'all' && { status }), ...(runId !== undefined && { runId }) }), json, ['PAUSE', 'RUN', 'STATUS', 'STEP', 'MESSAGE'], row)
    })

  pauses
    .command('decide')
    .description('decide a pause; one decision counts, whoever comes first')
    .argument('<id>', 'of the pause')
    .argument('<action>', actions.join(', '), (action): (typeof actions)[number] => {
      const known = actions.find((each) => each === action)
      if (!known) throw new Failure(`${action} is no decision: approve, decline or override`)
      return known
    })
    .option('--inputs <json>', 'what the form of the pause asks for; of an override, the output of the step')
    .option('--comments <text>', 'kept with the decision')
    .option('--json', 'the pause as JSON')
    .action(async (id: string, action: (typeof actions)[number], { inputs, comments, json = false }: { inputs?: string; comments?: string; json?: boolean }) => {
      const said = { ...(inputs !== undefined && { inputs: objectOf(inputs, '--inputs') }), ...(comments !== undefined && { comments }) }
      const { sluice } = await session()
      const pause = await sluice.pauses.decide({ id, action, ...said })
      print(json ? JSON.stringify(pause) : plain(`${pause.step} of run ${pause.runId} is ${pause.status}`))
    })
}

/** As JSON each as it comes; as a table all of them, since it is as wide as its widest. */
async function printAll<T>(list: AsyncIterable<T>, json: boolean, head: readonly string[], row: (item: T) => string[]): Promise<void> {
  const rows: string[][] = []
  for await (const item of list) {
    if (json) print(JSON.stringify(item))
    else rows.push(row(item))
  }
  if (!json && rows.length > 0) print(table(head, rows))
  else if (!json) tell('There are none')
}
