/** What is wrong with a definition that is written in code. Thrown where it is defined, before anything runs. */
export class DefinitionError extends Error {
  override readonly name = 'DefinitionError'
  readonly workflow: string
  /** Null: it is about the workflow as a whole. */
  readonly step: string | null
  constructor(message: string, workflow: string, step: string | null = null) {
    super(message)
    this.workflow = workflow
    this.step = step
  }
}

/** A reference that is used as if it were the value it stands for. */
export class ReferenceMisuse extends TypeError {
  override readonly name = 'ReferenceMisuse'
}
