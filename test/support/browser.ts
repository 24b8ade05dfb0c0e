import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Browser, type BrowserContextOptions, chromium, type Page, type Request } from 'playwright-core'
import { here } from './processes.ts'

/**
 * A headless Chromium from npm alone: binary, the libraries that it needs beyond glibc, and a font, all out of
 * `@sparticuz/chromium`. `SLUICE_TEST_BROWSER` names another one by its path. Without any, tests fail.
 */
export async function launchBrowser(): Promise<Browser> {
  const named = process.env['SLUICE_TEST_BROWSER']
  const { executablePath, env } = named ? { executablePath: named, env: {} } : await unpacked()
  // What is loaded is ours: it needs no sandbox, which root does not get and many machines refuse to others.
  const args = ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--font-render-hinting=none']
  return chromium.launch({ executablePath, args, env: { ...process.env, ...env }, timeout: 60_000 })
}

/** A page of its own, with what it asked for and what went wrong on it. */
export interface WatchedPage extends AsyncDisposable {
  page: Page
  requests: readonly Request[]
  /** Errors of the console and of scripts, policies that were broken among them. */
  errors: readonly string[]
  /** What it wrote to the console, one entry a line, values as JSON has them. */
  said: readonly unknown[][]
}

export async function openPage(browser: Browser, options: BrowserContextOptions = {}): Promise<WatchedPage> {
  const context = await browser.newContext(options)
  const page = await context.newPage()
  // Swagger UI takes seconds to open an operation, on a busy machine many.
  page.setDefaultTimeout(40_000)
  const [requests, errors, said]: [Request[], string[], unknown[][]] = [[], [], []]
  context.on('request', (request) => requests.push(request))
  page.on('pageerror', (error) => errors.push(String(error)))
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text())
    const line: unknown[] = []
    said.push(line)
    void Promise.all(message.args().map((value) => value.jsonValue()))
      .then((values) => line.push(...values))
      .catch(() => {})
  })
  return { page, requests, errors, said, [Symbol.asyncDispose]: () => context.close() }
}

interface Unpacked {
  executablePath: string
  env: Record<string, string>
}

/** Once for each version, beside the package: whoever is first puts it there whole, whoever is second finds it. */
async function unpacked(): Promise<Unpacked> {
  const source = dirname(dirname(fileURLToPath(import.meta.resolve('@sparticuz/chromium'))))
  const { version } = JSON.parse(await readFile(join(source, 'package.json'), 'utf8')) as { version: string }
  const folder = here(`../node_modules/.cache/chromium-${version}`)
  if (!existsSync(folder)) await unpack(join(source, 'bin'), folder)
  return {
    executablePath: join(folder, 'chromium'),
    env: { LD_LIBRARY_PATH: [join(folder, 'al2023/lib'), process.env['LD_LIBRARY_PATH']].filter(Boolean).join(':'), FONTCONFIG_FILE: join(folder, 'fonts.conf') },
  }
}

const parts = ['chromium.br', 'al2023.tar.br', 'fonts.tar.br']

async function unpack(source: string, folder: string): Promise<void> {
  await mkdir(dirname(folder), { recursive: true })
  const staging = await mkdtemp(`${folder}-`)
  try {
    // The package unpacks into the folder for temporary files, whichever it is: a process of its own has its own.
    const script = `import { inflate } from '@sparticuz/chromium'; await Promise.all(${JSON.stringify(parts.map((name) => join(source, name)))}.map((file) => inflate(file)))`
    await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { cwd: here('.'), env: { ...process.env, TMPDIR: staging } })
    // The package's own names folders that are nobody's here.
    const fonts = [join(folder, 'fonts/fonts'), '/usr/share/fonts'].map((dir) => `<dir>${dir}</dir>`).join('')
    await writeFile(join(staging, 'fonts.conf'), `<?xml version="1.0"?><fontconfig>${fonts}<cachedir>${join(folder, 'fonts-cache')}</cachedir></fontconfig>\n`)
    await rename(staging, folder)
  } catch (error) {
    await rm(staging, { recursive: true, force: true })
    if (!existsSync(folder)) throw error
  }
}
