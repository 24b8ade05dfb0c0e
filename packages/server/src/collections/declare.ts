import { readFile } from 'node:fs/promises'
import { type Collection, type CollectionRules, limits, type RecordField } from '@sluice/schema'
import { z } from 'zod'
import { StartRefused } from '../store/refused.ts'
import { collectionId, coreCollections, fieldOf, idField } from './core.ts'
import { compilePattern } from './pattern.ts'

/**
 * Collections that an operator declares, in the form that PocketBase exports them: a list, or an object with `collections`.
 * What cannot be kept is refused at the start, with its place in the file; nothing of it is passed over.
 */

export interface Declared {
  collections: Collection[]
  /** What is not kept as it is written, and does no harm: for the log. */
  warnings: string[]
}

const most = { fileBytes: 4 * 1024 * 1024, collections: 200, fields: 200, patternSteps: 5_000_000 }

/** Throws StartRefused with every problem of the file, each with its place. */
export async function loadCollections(file: string): Promise<Declared> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new StartRefused(`SLUICE_COLLECTIONS: ${file} ${error.code === 'ENOENT' ? 'does not exist' : `cannot be read: ${error.message}`}`, { cause: error })
  })
  if (Buffer.byteLength(text) > most.fileBytes) throw new StartRefused(`SLUICE_COLLECTIONS: ${file} has more than ${most.fileBytes} bytes`)
  let written: unknown
  try {
    written = JSON.parse(text)
  } catch (error) {
    throw new StartRefused(`SLUICE_COLLECTIONS: ${file} is not JSON: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
  const read = declare(written)
  refuse(file, read.problems)
  return read
}

/** Throws StartRefused unless there are none. */
export function refuse(file: string, problems: readonly string[]): void {
  if (problems.length > 0) throw new StartRefused(`SLUICE_COLLECTIONS: ${file} cannot be used: ${problems.join('; ')}`)
}

const Name = z.string().regex(/^[a-zA-Z_]\w{0,99}$/, 'must be letters, digits and _, not a digit first')
const Id = z.string().regex(/^\w{1,100}$/, 'must be letters, digits and _')
const Rule = z.string().max(3_500).nullish()

const FieldFile = z.looseObject({ id: z.string().max(100).optional(), name: Name, type: z.string() })
type FieldFile = z.infer<typeof FieldFile>

const CollectionFile = z.object({
  id: Id.optional(),
  name: Name,
  type: z.string().default('base'),
  listRule: Rule,
  viewRule: Rule,
  createRule: Rule,
  updateRule: Rule,
  deleteRule: Rule,
  fields: z.array(FieldFile).max(most.fields),
  indexes: z.array(z.string()).nullish(),
})
type CollectionFile = z.infer<typeof CollectionFile>

const File = z.union([z.array(z.unknown()), z.object({ collections: z.array(z.unknown()) }).transform(({ collections }) => collections)])

type Tell = (place: string, problem: string) => void

/** What a file says. Problems have their place first: `[1].fields[2] (books.isbn): …`. */
export function declare(written: unknown): Declared & { problems: string[] } {
  const problems: string[] = []
  const warnings: string[] = []
  const tell: Tell = (place, problem) => void problems.push(`${place}: ${problem}`)
  const warn: Tell = (place, problem) => void warnings.push(`${place}: ${problem}`)

  const entries = File.safeParse(written)
  if (!entries.success) return { collections: [], warnings, problems: ['it must be a list of collections, or an object with the list under "collections"'] }
  if (entries.data.length > most.collections) tell('[]', `there are ${entries.data.length} collections; ${most.collections} are taken`)

  const files = entries.data.flatMap((entry, at): [CollectionFile, string][] => {
    const read = CollectionFile.safeParse(entry)
    if (read.success) return [[read.data, placeOf(at, read.data.name)]]
    for (const { path, message } of read.error.issues) tell(`[${at}]${path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('')}`, message)
    return []
  })

  const known = new Map<string, string>()
  for (const { id, name } of coreCollections) known.set(id, name).set(name.toLowerCase(), name)
  for (const [{ id, name }, place] of files) {
    const own = [name.toLowerCase(), id ?? collectionId('base', name)]
    const taken = own.find((ref) => known.has(ref))
    if (taken !== undefined)
      tell(
        place,
        coreCollections.some((core) => core.name === known.get(taken)) ? `"${taken}" is a collection of the core: leave it out, or rename it` : `"${taken}" is declared twice`,
      )
    for (const ref of own) known.set(ref, name)
  }

  const collections = files.map(([file, place]) => collectionOf(file, place, known, tell, warn))
  return { collections, warnings, problems }
}

const placeOf = (at: number, name: string): string => `[${at}] (${name})`

function collectionOf(file: CollectionFile, place: string, known: ReadonlyMap<string, string>, tell: Tell, warn: Tell): Collection {
  const { id, name, type, fields: written, indexes } = file
  if (type !== 'base') tell(place, `its type is ${JSON.stringify(type)}: "base" alone can be declared`)
  const at = place.slice(0, place.indexOf(' '))
  const fields = written.flatMap((field, number) => {
    const where = `${at}.fields[${number}] (${name}.${field.name})`
    if (field.name === 'id') return idRefused(field, (problem) => tell(where, problem))
    return fieldFrom(field, known, (problem) => tell(where, problem))
  })
  const names = [idField, ...fields].map((field) => field.name.toLowerCase())
  const twice = names.find((each, number) => names.indexOf(each) !== number)
  if (twice !== undefined) tell(place, `it has two fields named ${twice}`)
  for (const [number, index] of (indexes ?? []).entries()) keepIndex(index, fields, (problem) => warn(`${at}.indexes[${number}] (${name})`, problem))
  return { id: id ?? collectionId('base', name), name, type: 'base', system: false, fields: [idField, ...fields], rules: rulesOf(file), created: '', updated: '' }
}

const rulesOf = ({ listRule, viewRule, createRule, updateRule, deleteRule }: CollectionFile): CollectionRules => ({
  list: listRule ?? null,
  view: viewRule ?? null,
  create: createRule ?? null,
  update: updateRule ?? null,
  delete: deleteRule ?? null,
})

/** Which rule stands where in the file. */
const ruleNames = { list: 'listRule', view: 'viewRule', create: 'createRule', update: 'updateRule', delete: 'deleteRule' } as const satisfies {
  [K in keyof CollectionRules]: string
}

// ── fields ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

const nullish = <T extends z.ZodType>(of: T) => of.nullish().transform((value) => value ?? undefined)
const flag = nullish(z.boolean())
const count = nullish(z.int().min(0).max(1_000_000))
/** Empty where they are not used: what they would keep out is not kept out here. */
const unused = z.union([z.literal(''), z.array(z.never()), z.null()]).optional()

const base = { required: flag, hidden: flag }
const text = { ...base, min: count, max: count }

/** By type, what of it is kept. What is not named here says how a field is shown, and is passed over. */
const shapes = {
  text: z.object({ ...text, pattern: nullish(z.string().max(500)), autogeneratePattern: unused }),
  editor: z.object({ ...base }),
  email: z.object({ ...base, onlyDomains: unused, exceptDomains: unused }),
  url: z.object({ ...base, onlyDomains: unused, exceptDomains: unused }),
  number: z.object({ ...base, min: nullish(z.number()), max: nullish(z.number()), onlyInt: flag }),
  bool: z.object({ ...base }),
  date: z.object({ ...base, min: unused, max: unused }),
  autodate: z.object({ hidden: flag, onCreate: flag, onUpdate: flag }),
  select: z.object({ ...base, values: z.array(z.string().min(1).max(255)).min(1).max(500), maxSelect: count }),
  relation: z.object({ ...base, collectionId: z.string(), cascadeDelete: flag, minSelect: count, maxSelect: count }),
  json: z.object({ ...base, maxSize: nullish(z.int().min(0)) }),
} as const

type Kept = keyof typeof shapes
const isKept = (type: string): type is Kept => Object.hasOwn(shapes, type)

const instead: Readonly<Record<string, string>> = {
  file: 'files are not kept in records: upload them to /v1/files, and keep their id in a text',
  geoPoint: 'places are not known: keep longitude and latitude as two numbers',
  password: 'only the collection users has passwords',
}

function fieldFrom(field: FieldFile, known: ReadonlyMap<string, string>, tell: (problem: string) => void): RecordField[] {
  const { type } = field
  if (!isKept(type)) {
    tell(`a field of type ${JSON.stringify(type)} cannot be declared: ${instead[type] ?? `it is one of ${Object.keys(shapes).join(', ')}`}`)
    return []
  }
  const read = shapes[type].safeParse(field)
  if (!read.success) {
    for (const { path, message } of read.error.issues) tell(`${path.join('.')}: ${unusedNames.has(String(path[0])) ? 'it is not kept here: leave it empty' : message}`)
    return []
  }
  const wanted: unknown = 'collectionId' in read.data ? read.data.collectionId : undefined
  const target = typeof wanted === 'string' ? wanted : undefined
  const collection = target === undefined ? undefined : (known.get(target) ?? known.get(target.toLowerCase()))
  if (target !== undefined && collection === undefined) tell(`collectionId: there is no collection ${JSON.stringify(target)}`)
  const made = fieldOf(field.name, type, { ...told(read.data), ...(collection !== undefined && { collection }) })
  const problem = problemOf(made)
  if (problem !== null) tell(problem)
  return [field.id === undefined || field.id === '' ? made : { ...made, id: field.id }]
}

const unusedNames = new Set(['autogeneratePattern', 'onlyDomains', 'exceptDomains'])

/** Without what is absent, and what is passed over. */
function told(said: object): Partial<RecordField> {
  const kept = Object.entries(said).filter(([name, value]) => value !== undefined && value !== null && value !== '' && name !== 'collectionId' && !unusedNames.has(name))
  return Object.fromEntries(kept)
}

function problemOf({ name, type, pattern, min, max, minSelect, maxSelect, maxSize, onCreate, onUpdate }: RecordField): string | null {
  if (/^(collectionid|collectionname|expand)$/i.test(name) || name.includes('_via_')) return `name: ${name} has a meaning of its own in records`
  if (type === 'autodate' && !onCreate && !onUpdate) return 'it is set neither by onCreate nor by onUpdate'
  if (type === 'number' ? min !== undefined && max !== undefined && min > max : max !== undefined && max > 0 && (min ?? 0) > max) return 'min is more than max'
  if ((minSelect ?? 0) > Math.max(maxSelect ?? 1, 1)) return 'minSelect is more than maxSelect'
  if (maxSize !== undefined && maxSize > limits.contextBytes) return `maxSize: at most ${limits.contextBytes} bytes are kept`
  return pattern === undefined ? null : patternProblem(pattern, max === undefined || max === 0 ? 5_000 : max)
}

function patternProblem(pattern: string, max: number): string | null {
  try {
    const { states } = compilePattern(pattern)
    return states * max > most.patternSteps ? `pattern: ${states} states for a text of ${max} characters take too long: lessen max` : null
  } catch (error) {
    return `pattern: ${error instanceof Error ? error.message : String(error)}`
  }
}

/** Ids are of the one form that all records have. */
function idRefused(field: FieldFile, tell: (problem: string) => void): RecordField[] {
  const { type, min = 15, max = 15, pattern = idField.pattern, autogeneratePattern = '' } = field
  const isOurs = type === 'text' && min === 15 && max === 15 && pattern === idField.pattern && ['', '[a-z0-9]{15}', null].includes(autogeneratePattern as string | null)
  if (!isOurs) tell(`ids are texts of 15 characters of ${idField.pattern}: leave the field out`)
  return []
}

// ── indexes ────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** A plain unique index of one field is kept as what the field is. Others are for speed, or cannot be kept. */
function keepIndex(index: string, fields: readonly RecordField[], warn: (problem: string) => void): void {
  const [, unique, columns = '', rest = ''] = /^\s*create\s+(unique\s+)?index\s+(?:if\s+not\s+exists\s+)?\S+\s+on\s+\S+?\s*\(([^()]*)\)\s*(.*?)\s*;?\s*$/is.exec(index) ?? []
  const name = columns.trim().replace(/^[`"[](.*)[`"\]]$/, '$1')
  const field = fields.find((each) => each.name === name)
  if (unique === undefined) return columns === '' ? warn(`${JSON.stringify(index)} cannot be read, and is not kept`) : undefined
  if (!field || rest !== '' || field.type === 'autodate') return warn(`a unique index of anything but one whole field is not kept: ${JSON.stringify(index)}`)
  field.unique = true
}

// ── rules ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Throws StartRefused with every rule that cannot be read, and its place. `read` throws for what cannot be. */
export function checkRules(file: string, collections: readonly Collection[], read: (collection: Collection, which: keyof CollectionRules) => unknown): void {
  const problems: string[] = []
  for (const [at, collection] of collections.entries()) {
    for (const [which, name] of Object.entries(ruleNames)) {
      try {
        read(collection, which as keyof CollectionRules)
      } catch (error) {
        problems.push(`[${at}].${name} (${collection.name}): ${error instanceof Error ? error.message : String(error)}`)
      }
    }
  }
  refuse(file, problems)
}
