import type { Collection, JsonObject, RecordField } from '@sluice/schema'

/** A collection as PocketBase's own tools read it; `all` are those that relations lead to. */
export function collectionOf({ id, name, type, system, fields, rules, created, updated }: Collection, all: readonly Collection[]): JsonObject {
  return {
    id,
    name,
    type,
    system,
    listRule: rules.list,
    viewRule: rules.view,
    createRule: rules.create,
    updateRule: rules.update,
    deleteRule: rules.delete,
    fields: fields.map((field) => fieldOf(field, all)),
    indexes: [],
    created,
    updated,
    ...(type === 'auth' && { passwordAuth: { enabled: true, identityFields: ['email'] } }),
  }
}

function fieldOf(field: RecordField, all: readonly Collection[]): JsonObject {
  const { id, name, type, required, hidden, system } = field
  return { id, name, type, required, hidden, system, presentable: false, ...optionsOf(field, all) }
}

/** What a type of field says more, unset where PocketBase has it so. */
function optionsOf(field: RecordField, all: readonly Collection[]): JsonObject {
  const { name, type, min = 0, max = 0, pattern = '', minSelect = 0, maxSelect = 1 } = field
  const bounds = { ...(field.min !== undefined && { min: field.min }), ...(field.max !== undefined && { max: field.max }) }
  switch (type) {
    case 'text':
      return { min, max, pattern, autogeneratePattern: name === 'id' ? '[a-z0-9]{15}' : '', primaryKey: name === 'id' }
    case 'password':
      return { min, max, pattern, cost: 0 }
    case 'number':
      return { min: null, max: null, ...bounds, onlyInt: field.onlyInt ?? false }
    case 'email':
    case 'url':
      return { exceptDomains: null, onlyDomains: null }
    case 'editor':
      return { maxSize: field.maxSize ?? 0, convertURLs: false }
    case 'json':
      return { maxSize: field.maxSize ?? 0 }
    case 'date':
      return { min: '', max: '' }
    case 'autodate':
      return { onCreate: field.onCreate ?? false, onUpdate: field.onUpdate ?? false }
    case 'select':
      return { values: field.values ?? [], maxSelect }
    case 'relation':
      return { collectionId: all.find((each) => each.name === field.collection)?.id ?? '', cascadeDelete: field.cascadeDelete ?? false, minSelect, maxSelect }
    case 'file':
      return { maxSelect, maxSize: 0, mimeTypes: null, thumbs: null, protected: false }
    case 'bool':
      return {}
  }
}
