/** Number of f32 lanes of one vector; the host checks it to know that the module is ours. */
export function lanes(): i32 {
  return 4;
}
