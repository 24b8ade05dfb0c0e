import { icon, mark } from './mark.ts'

/** What is served below `/docs` beside the parts of Swagger UI: the page, its looks, and what sets Swagger UI up. */

export interface DocsEntry {
  /** As the list of documents shows it. */
  title: string
  /** From the folder of the scripts. */
  url: string
}

/** Everything comes from this host. Swagger UI sets styles on its elements, and its style sheet has its pictures inside. */
export const docsPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  'img-src data:',
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

export const docsIndex = `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>Sluice API</title>
  <link rel="icon" href="${icon}">
  <link rel="stylesheet" href="docs/swagger-ui.css">
  <link rel="stylesheet" href="docs/sluice.css">
</head>
<body>
  <div id="swagger-ui"></div>
  <script src="docs/swagger-ui-bundle.js"></script>
  <script src="docs/swagger-ui-standalone-preset.js"></script>
  <script src="docs/initializer.js"></script>
</body>
</html>
`

/**
 * Addresses are relative to the script: a proxy may have put the server below a path. Its plugin leaves out what a person
 * cannot use here, and folds what is the same everywhere: the bodies of errors.
 */
export const docsInitializer = (entries: readonly DocsEntry[]): string => `const sluice = ({ React, getComponent }) => {
  const h = React.createElement
  // A page cannot set a cookie of another path's login, and a ticket opens one stream, once: neither is typed in.
  const typed = (scheme) => scheme.get('in') !== 'cookie' && scheme.get('name') !== 'ticket'
  const folded = (Response) => (props) => {
    const [open, setOpen] = React.useState(!/^[45]/.test(props.code))
    if (open) return h(Response, props)
    return h('tr', { className: 'response folded', 'data-code': props.code },
      h('td', { className: 'response-col_status' }, props.code),
      h('td', { className: 'response-col_description' },
        h(getComponent('Markdown', true), { source: props.response.get('description') }),
        h('button', { className: 'btn unfold', onClick: () => setOpen(true) }, 'Example')))
  }
  return {
    components: { Logo: () => h('span', { className: 'sluice-name' }, 'Sluice') },
    wrapComponents: { response: folded },
    statePlugins: { auth: { wrapSelectors: {
      definitionsToAuthorize: (all) => (...args) => all(...args)?.filter((definition) => definition.every(typed)),
    } } },
  }
}

window.ui = SwaggerUIBundle({
  urls: ${JSON.stringify(entries.map(({ title, url }) => ({ name: title, url })))}.map(({ name, url }) => ({ name, url: new URL(url, document.currentScript.src).pathname })),
  dom_id: '#swagger-ui',
  layout: 'StandaloneLayout',
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
  plugins: [sluice],
  validatorUrl: null,
  queryConfigEnabled: false,
  persistAuthorization: true,
  deepLinking: true,
  displayRequestDuration: true,
  defaultModelsExpandDepth: 0,
})
`

/** Over Swagger UI's own: its colours are many and its tables wide. `:root` outweighs what it says of the dark. */
export const docsStyle = `
:root { --ink: #17242c; --soft: #5a6b75; --line: #dce4e8; --water: #0b6a8c; --raised: #eff4f6 }
html.dark-mode { --ink: #e4ebef; --soft: #93a4ae; --line: #333f46; --water: #6cc4e4; --raised: #252f35 }
body { margin: 0 }

.swagger-ui .topbar { padding: 8px 0; background: #17242c }
.swagger-ui .topbar .link { flex: none; max-width: none; gap: 10px; font-size: 1.2em }
.swagger-ui .topbar .link span { margin: 0; padding: 0 }
.swagger-ui .topbar .link::before { content: ''; width: 30px; height: 30px; background: url("data:image/svg+xml,${encodeURIComponent(mark)}") }
.swagger-ui .topbar .download-url-wrapper .select-label select { border: 1px solid #4a5c67 }

.swagger-ui .info { margin: 28px 0 16px }
.swagger-ui .info .title { font-size: 30px }
.swagger-ui .info p, .swagger-ui .info li, .swagger-ui .info table { font-size: 14px; line-height: 1.5 }
.swagger-ui .info p { max-width: 62em; margin: .5em 0 }
.swagger-ui .info table { width: auto; margin: .5em 0 0 }
.swagger-ui .info table thead tr th, .swagger-ui .info table tbody tr td { padding: 2px 24px 2px 0; vertical-align: top; border: 0; line-height: 1.6 }
.swagger-ui .info table tbody tr td:first-of-type { min-width: 0; padding: 2px 24px 2px 0 }
:root:root .swagger-ui .markdown code, :root:root .swagger-ui .renderedMarkdown code { padding: 1px 4px; border-radius: 3px; background: var(--raised); color: var(--ink); font-weight: 500 }
:root:root .swagger-ui .info table code { padding: 0; background: none }

.swagger-ui .scheme-container { padding: 12px 0; box-shadow: none; background: none }
.swagger-ui .schemes-server-container:has(option:only-child) { display: none }
.swagger-ui .opblock-tag { font-size: 20px }
.swagger-ui .opblock-tag small { font-size: 14px; color: var(--soft) }
.swagger-ui .opblock { margin: 0 0 8px; box-shadow: none }

.swagger-ui .response-col_links, .swagger-ui .response .headers-wrapper { display: none }
.swagger-ui .folded td { padding: 6px 10px 6px 0; border-top: 1px solid var(--line) }
.swagger-ui .folded .response-col_description { display: flex; justify-content: space-between; align-items: flex-start; gap: 16px; padding-right: 0 }
.swagger-ui .folded p { margin: 0; font-size: 14px; line-height: 1.5 }
.swagger-ui .folded .response-col_status { line-height: 1.5 }
:root .swagger-ui .folded .unfold { flex: none; color: var(--ink); padding: 2px 12px; border: 1px solid var(--line); box-shadow: none; font-weight: 500 }
`
