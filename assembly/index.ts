export { encode } from "./encode";
export { run } from "./select";
