type Equal<A, B> = (<G>() => G extends A ? 1 : 2) extends <G>() => G extends B ? 1 : 2 ? true : false

/** `same<A, B>(true)` compiles only when A and B are the very same type; neither may be wider, or `any`. */
export function same<A, B>(_: Equal<A, B>): void {}
