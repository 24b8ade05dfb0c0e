/** Of the server that is measured; it exists for seconds, on a database of its own. */
export const account = { email: 'bench@sluice.local', password: 'correct horse battery', secret: 'a secret for as long as a measurement takes' }
