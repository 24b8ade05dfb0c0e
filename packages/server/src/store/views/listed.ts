import { Fault, limits } from '@sluice/schema'

/** A column of JSON as lists tell it: a large value by its size. */
export function listedValue(column: string): string {
  const bytes = `octet_length(${column}::text)`
  return `case when ${bytes} > ${limits.listValueBytes} then json_build_object('truncated', ${bytes}) else ${column} end as ${column}`
}

/** Counts what items come to as JSON. Throws a Fault `limit_exceeded` for more than an answer holds. */
export function createScale(): (items: readonly unknown[]) => void {
  let bytes = 0
  return (items) => {
    for (const item of items) if ((bytes += Buffer.byteLength(JSON.stringify(item))) > limits.answerBytes) throw tooLarge()
  }
}

/** Of a page that is more than an answer holds. */
export function tooLarge(bytes?: number): Fault {
  const message = `The page has more than ${limits.answerBytes / 1024 / 1024} MiB: ask for fewer items`
  return new Fault('limit_exceeded', { message, issues: [{ path: ['limit'], message }], details: { ...(bytes !== undefined && { bytes }), maxBytes: limits.answerBytes } })
}
