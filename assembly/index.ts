export { encode } from "./encode";
export { dualBound, packKnapsacks } from "./relax";
export { run } from "./select";
