/** What the names of lanes begin with that are of one workflow: all lanes of a workspace have their names in one place. */
export const workflowLanes = 'workflow:'

export const laneOfWorkflow = (workflowId: string, key: string): string => `${workflowLanes}${workflowId}:${key}`
