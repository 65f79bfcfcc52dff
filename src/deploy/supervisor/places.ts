/** Names the file descriptor of a worker process's black box: what it must say on its way to a sudden end, one JSON object a line. */
export const BLACKBOX = 'HOLDFAST_BLACKBOX'
