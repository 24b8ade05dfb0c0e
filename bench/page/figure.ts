/** Three digits that matter, thousands apart. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '–'
  const size = Math.abs(Number(value.toPrecision(3)))
  const decimals = size >= 100 || value === 0 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3
  return value.toLocaleString('en-US', { minimumFractionDigits: decimals, maximumFractionDigits: decimals })
}

/** A dash for what was not measured. */
export const figureOrNone = (value: number | undefined): string => (value === undefined ? '–' : figure(value))

/** How many there are of something. */
export const count = (value: number): string => value.toLocaleString('en-US', { maximumFractionDigits: 0 })

export const megabytes = (bytes: number): string => figure(bytes / 1024 ** 2)

export const kilobytes = (bytes: number): string => figure(bytes / 1024)
