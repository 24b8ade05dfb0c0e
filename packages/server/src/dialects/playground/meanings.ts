import type { Dialect } from '../dialect.ts'

/** What the schemas, keys and parameters of the playground mean, in a sentence each. */
export const meanings: Dialect['meanings'] = {
  schemas: {
    ChatStatus: 'How a workflow stands. One that waits for an answer or an approval is `running`; one in which nothing was done yet is `stopped`',
    ChatWorkflow: 'A conversation: what was said in it, what was done for it, and how it stands',
    ChatWorkflowStatus: 'How a workflow stands, without the ids of what it holds',
    StartedChatWorkflow: 'A workflow, with the id under which the message was kept',
    ChatFile: 'A file of a message, with all that was sent of it',
    ChatMessage: 'What somebody said. It never changes, but for a file that is taken from it',
    ChatLog: 'Something that happened',
    ChatStat: 'A figure of what was done for one message',
    ChatDocument: 'A file that came with a message',
    ChatToken: 'A piece of a text that is being said. It is told live and never again: the whole comes as a message',
    ChatDeletion: 'Something is gone',
    ChatData: 'What a workflow holds, each kind in the order in which it was created',
    UserInputRequest: 'A message',
    ChatWorkflowUpdate: 'What to change; at least one field',
    FileUpload: 'A form with a file',
    DeletedWorkflow: 'The workflow is gone',
    DeletedMessage: 'The message is gone',
    DeletedFileReference: 'The message has the file no more',
    UploadedFile: 'A file that was stored',
    ErrorResponse: 'The body of every error',
  },

  keys: {
    // what stands in addresses
    workflowId: 'The id of the workflow, with `wf_` before it or without',
    messageId: 'The id of the message, with `msg_` before it or without',
    fileId: 'The id of the file, with `file_` before it or without',
    workflowMode: 'How to work: `Actionplan`, unless said, plans tasks and does them; `React` thinks and acts by turns. Going on, unless said, it is what it was',
    afterTimestamp: 'Unix seconds: only what was created after this time. Zero or less is all there is',
    logId: 'Only logs after this one',
    'idempotency-key': 'A name for this request: the same again is answered as the first one was, and does nothing more',

    // errors
    detail: 'What went wrong, for people',

    // workflows
    id: 'Its id',
    userId: 'The id of its owner',
    status: 'How it stands',
    mode: 'How it works: `Actionplan` or `React`, or what its client called it',
    name: 'What it is called; null where it has no name',
    description: 'What it is about',
    tags: 'Words to find it by',
    metadata: 'What clients keep with it',
    currentStep: 'The name of the step that is under way; null where nothing is',
    progress: 'Percent, 0 to 100',
    messageIds: 'The ids of its messages, oldest first: the newest 1,000',
    logIds: 'The ids of its logs, oldest first: the newest 1,000',
    createdAt: 'When it began, in Unix seconds',
    updatedAt: 'When it last changed, in Unix seconds',
    stoppedAt: 'When it was stopped, in Unix seconds; null unless it is',
    'StartedChatWorkflow.messageId': 'The id of the message that was sent',

    // what they hold
    timestamp: 'When it was created, in Unix seconds; no two of a workflow are the same',
    _createdAt: 'The same as `timestamp`',
    role: 'Who said it',
    content: 'What was said',
    files: 'The files that came with it',
    level: 'How much it matters',
    message: 'For people',
    value: 'The figure',
    unit: 'What it counts, as `ms`; null where it is a number of things',
    mimeType: 'Of what type it is, as it was stored',
    size: 'Its bytes',
    messages: 'What was said',
    logs: 'What happened',
    stats: 'Figures of what was done',
    documents: 'Files that came with messages',
    'ChatStat.name': 'What it is a figure of',
    'ChatStat.messageId': 'Always null: a figure is of what was done, not of what was said',
    'ChatDocument.messageId': 'The message it came with',
    'ChatDocument.name': 'The name of the file',
    'ChatFile.id': 'The id of the file',
    'UploadedFile.id': 'What to name it by in a message',
    'UploadedFile.name': 'What it is called',

    // what is told live
    truncated: 'Where only the beginning of a long text is told: the bytes of the whole, which is among the messages',
    step: 'The name of the step that says it',
    iteration: 'Which time the step is done, where it is done several times; else empty',
    attempt: 'Counts from 1: an attempt that begins anew begins its text anew',
    offset: 'The UTF-16 code units of this text before it',
    text: 'What comes next of it',
    'ChatDeletion.id': 'What is gone, without a prefix: a message, a document, or the workflow itself',

    // what is sent
    input: 'What to say; not blank',
    'UserInputRequest.files': 'Ids of files, or objects with an `id`, of which all other keys are kept: at most 20',
    'UserInputRequest.metadata': 'Kept with the message, and given to the workflow',
    'ChatWorkflowUpdate.metadata': 'Replaces what was there',
    file: 'The file',
  },
}
