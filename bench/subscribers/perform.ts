import type { Place } from '../race.ts'
import { type Figures, type Following, openFollowed } from './followed.ts'

/** For the process of the server: one run that everybody follows. */
export async function* perform({ databaseUrl, postgresPid: _, ...following }: Following & Place): AsyncGenerator<Figures> {
  const followed = await openFollowed(databaseUrl)
  yield await followed.follow(following)
  await followed.close()
}
