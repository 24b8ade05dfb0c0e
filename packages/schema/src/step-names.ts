import type { Definition } from './definition.ts'

/** The name of each node's steps, by node id: its title when it is unique in the definition, and no other node's id; else the id. */
export function stepNames(definition: Pick<Definition, 'nodes'>): Map<string, string> {
  const titles = new Map<string, number>()
  for (const { title } of definition.nodes) if (title) titles.set(title, (titles.get(title) ?? 0) + 1)
  const ids = new Set(definition.nodes.map((node) => node.id))
  return new Map(definition.nodes.map(({ id, title }) => [id, title && titles.get(title) === 1 && (title === id || !ids.has(title)) ? title : id]))
}
