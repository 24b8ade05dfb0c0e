import type { ChatData, ChatDocument, ChatLog, ChatMessage, ChatStat, ChatToken, ChatWorkflow, ChatWorkflowStatus, UploadedFile } from './contract.ts'

/** What the document shows: a report that somebody wants to know something about. */

export const one = { workflowId: 'wf_01k2v9m4w7qz8ba' }
export const oneMessage = { ...one, messageId: 'msg_01k2v9n0b4xwt7c' }
export const oneFile = { ...oneMessage, fileId: 'file_01k2v9kz3r5t8ha' }

const user = '01k2v90000user1'
const at = (seconds: number) => ({ timestamp: seconds, _createdAt: seconds })
const sentAt = 1_769_860_800.5

export const input = { input: 'Which region sold the most?', files: [{ id: oneFile.fileId, name: 'sales.csv' }], metadata: {} }

export const message: ChatMessage = {
  id: oneMessage.messageId,
  ...one,
  ...at(sentAt),
  role: 'user',
  content: input.input,
  files: input.files,
  metadata: {},
}

export const log: ChatLog = { id: 'log_01k2v9n0c5yxu8d', ...one, ...at(1_769_860_801.25), level: 'info', message: 'The round began' }

export const stat: ChatStat = { id: 'stat_01k2v9n2d6zyv9e', ...one, ...at(1_769_860_803.000_004), messageId: null, name: 'steps', value: 9, unit: null }

export const document: ChatDocument = {
  id: 'doc_01k2v9n0b4xwt7e',
  ...one,
  ...at(1_769_860_800.500_001),
  messageId: message.id,
  fileId: oneFile.fileId,
  name: 'sales.csv',
  mimeType: 'text/csv',
  size: 18_204,
}

export const data: ChatData = { messages: [], logs: [log], stats: [stat], documents: [document] }

export const status: ChatWorkflowStatus = {
  id: one.workflowId,
  userId: user,
  status: 'running',
  mode: 'Actionplan',
  name: 'Which region sold the most?',
  description: null,
  tags: [],
  currentStep: 'work',
  progress: 45,
  createdAt: sentAt,
  updatedAt: 1_769_860_801.25,
  stoppedAt: null,
}

export const workflow: ChatWorkflow = { ...status, metadata: {}, messageIds: [message.id], logIds: [log.id] }

export const token: ChatToken = { ...one, step: 'think', iteration: '1', attempt: 1, offset: 0, text: 'The region' }

export const update = { name: 'Sales Analysis Q4', tags: ['sales', 'analysis'] }

export const uploaded: UploadedFile = { id: oneFile.fileId, name: 'sales.csv', mimeType: 'text/csv', size: 18_204 }
