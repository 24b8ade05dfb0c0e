/** What a schema of `@sluice/schema` takes: its value before defaults are filled in. */
export type Input<S extends { _zod: { input: unknown } }> = S['_zod']['input']
