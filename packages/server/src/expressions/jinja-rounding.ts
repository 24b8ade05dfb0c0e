/** Python's round(): a half goes to the even neighbour, of what the double truly is. */
export function rounded(value: number, places: number): number {
  if (places < 0) {
    const unit = 10 ** Math.min(-places, 300)
    return rounded(value / unit, 0) * unit
  }
  const kept = Math.min(places, 50)
  if (Math.abs(value) >= 1e21) return value
  const near = Number(value.toFixed(kept))
  const tail = value
    .toFixed(Math.min(kept + 45, 100))
    .split('.')[1]!
    .slice(kept)
  if (!/^50*$/.test(tail)) return near
  const [low, high] = [Math.trunc(value * 10 ** kept), Math.trunc(value * 10 ** kept) + Math.sign(value)]
  return (low % 2 === 0 ? low : high) / 10 ** kept
}
