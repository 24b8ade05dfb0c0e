// A process that takes a lock, says whether it got it, and holds it until its input ends: `locker.ts <path>`.
import { takeLock } from '../../src/embedded/lock.ts'

const [path = ''] = process.argv.slice(2)
try {
  takeLock(path, 'the directory', 'http://locker')
  process.stdout.write('taken\n')
} catch (error) {
  process.stdout.write(`${(error as Error).message}\n`)
}
process.stdin.resume().on('end', () => process.exit(0))
