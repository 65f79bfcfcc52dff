/** Names of workers, as people write them (`*` stands for anything) and as LIKE wants them. */

export function likePattern(pattern: string): string {
  return pattern.replaceAll(/[\\%_]/g, '\\$&').replaceAll('*', '%')
}

export function readablePattern(like: string): string {
  return like.replaceAll(/\\(.)|%/gs, (_, literal: string | undefined) => literal ?? '*')
}
