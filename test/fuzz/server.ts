import { here, type Program, start } from '../support/processes.ts'

export const admin = { email: 'admin@sluice.local', password: 'the password of the admin of the fuzzed' }
export const secret = 'a secret that the fuzzed server keeps to itself'

/** A turn of the event loop that took long. */
export interface Turn {
  /** Of the clock, as `Date.now()`. */
  at: number
  turnMs: number
  lateMs: number
}

export interface Memory {
  at: number
  heap: number
  rss: number
}

export interface Fuzzed extends AsyncDisposable {
  url: string
  program: Program
  /** Whether it still runs. */
  lives(): boolean
  /** Turns that took longer than 150 ms of the processor. */
  turns(): Turn[]
  memory(): Memory[]
  /** The memory that it has once what nobody needs is gone. */
  collected(): Promise<Memory>
  /** Of its log, parsed. */
  log(): { level: number | string; msg: string; text: string }[]
}

/** A server of the product's own command as a process of its own, with the offline model and nothing outside that its steps may call. */
export async function fuzzedServer(settings: Record<string, string>): Promise<Fuzzed> {
  const program = start(['--import', here('../fuzz/watched.ts'), here('../../packages/server/src/main.ts'), 'serve'], {
    SLUICE_PORT: '0',
    SLUICE_SECRET: secret,
    SLUICE_ADMIN_EMAIL: admin.email,
    SLUICE_ADMIN_PASSWORD: admin.password,
    SLUICE_RATE_LIMIT: 'off',
    SLUICE_LOG_LEVEL: 'info',
    ...settings,
  })
  const [, url] = await program.says(/^Sluice is ready at (http:\S+)$/m, 60_000)
  let ended = false
  void program.ended.then(() => (ended = true))
  const told = <T>(is: string): T[] =>
    [...program.stderr().matchAll(/^watched (.+)$/gm)].flatMap(([, text]) => {
      const value = JSON.parse(text!) as { is: string } & T
      return value.is === is ? [value] : []
    })
  return {
    url: url!,
    program,
    lives: () => !ended,
    turns: () => told<Turn>('turn'),
    memory: () => told<Memory>('memory'),
    async collected() {
      const before = told<Memory>('memory').length
      program.kill('SIGUSR2')
      const end = performance.now() + 20_000
      while (told<Memory>('memory').length === before && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 50))
      return told<Memory>('memory').at(-1)!
    },
    log: () =>
      `${program.stdout()}\n${program.stderr()}`.split('\n').flatMap((text) => {
        if (!text.startsWith('{')) return []
        const { level, msg } = JSON.parse(text) as { level: number | string; msg: string }
        return [{ level, msg, text }]
      }),
    async [Symbol.asyncDispose]() {
      program.kill('SIGKILL')
      await program.ended
    },
  }
}
