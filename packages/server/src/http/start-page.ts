import { icon, mark } from './mark.ts'

/** Of this page alone: nothing is loaded, nothing runs. */
export const startPolicy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

export interface StartLink {
  /** From the root of the server. */
  href: string
  title: string
  under: keyof typeof headings
}

const headings = { api: 'The API', data: 'What is there, as JSON; needs a credential', server: 'The server' } as const

const style = `
  :root { color-scheme: light dark; --ink: #17242c; --soft: #5a6b75; --line: #dce4e8; --water: #0b6a8c; --ground: #fff; --raised: #f5f8fa }
  @media (prefers-color-scheme: dark) { :root { --ink: #e4ebef; --soft: #93a4ae; --line: #2a363d; --water: #6cc4e4; --ground: #12181c; --raised: #192126 } }
  * { box-sizing: border-box }
  body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, -apple-system, 'Segoe UI', sans-serif }
  main { max-width: 42rem; margin: 0 auto; padding: clamp(2rem, 12vh, 7rem) 1.5rem 3rem }
  header { display: flex; align-items: center; gap: .9rem }
  header svg { width: 2.75rem; height: 2.75rem; flex: none }
  h1 { margin: 0; font-size: 2rem; line-height: 1.1; letter-spacing: -.02em }
  p { margin: 1rem 0 2.25rem; color: var(--soft) }
  h2 { margin: 2rem 0 .5rem; font-size: .8125rem; font-weight: 600; color: var(--soft) }
  ul { margin: 0; padding: 0; list-style: none; border: 1px solid var(--line); border-radius: .6rem; overflow: hidden }
  li + li { border-top: 1px solid var(--line) }
  a { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 1.5rem; padding: .65rem 1rem; color: var(--ink); text-decoration: none }
  a:hover, a:focus-visible { background: var(--raised); color: var(--water) }
  a:focus-visible { outline: 2px solid var(--water); outline-offset: -2px }
  code { font: .875rem/1.7 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; color: var(--soft) }
`

/** What a person sees who opens the server's address. Links are relative: a proxy may have put the server below a path. */
export const startPage = (links: readonly StartLink[]): string => `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>Sluice</title>
  <link rel="icon" href="${icon}">
  <style>${style}</style>
</head>
<body>
  <main>
    <header>${mark.replace('<svg ', '<svg aria-hidden="true" ')}<h1>Sluice</h1></header>
    <p>Durable workflows: graphs of steps that survive crashes, pause for people, and tell everything they do as live events.</p>
${Object.entries(headings)
  .map(([name, heading]) =>
    listOf(
      heading,
      links.filter(({ under }) => under === name),
    ),
  )
  .join('\n')}
  </main>
</body>
</html>
`

const listOf = (heading: string, links: readonly StartLink[]): string => `    <h2>${heading}</h2>
    <ul>
${links.map(({ href, title }) => `      <li><a href="${href.slice(1)}">${title} <code>${href}</code></a></li>`).join('\n')}
    </ul>`
