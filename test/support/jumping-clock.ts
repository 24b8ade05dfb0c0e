/**
 * Loaded before a server (`node --import`): with each SIGUSR2 its clock is set to the next of the offsets in SLUICE_TEST_JUMPS, in milliseconds from
 * the true time, parted by commas. What only passes, `performance` and timers, goes on, as on a machine whose clock is set.
 */
const True = Date
const jumps = process.env['SLUICE_TEST_JUMPS']!.split(',').map(Number)
let off = 0
const now = (): number => True.now() + off

globalThis.Date = new Proxy(True, {
  construct: (target, given, made) => Reflect.construct(target, given.length === 0 ? [now()] : given, made) as Date,
  get: (target, key, receiver) => (key === 'now' ? now : Reflect.get(target, key, receiver)),
})

process.on('SIGUSR2', () => {
  off = jumps.shift() ?? off
  process.stdout.write(`The clock is off by ${off} ms\n`)
})
