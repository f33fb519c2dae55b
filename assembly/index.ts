export { encode, recode } from "./encode";
export { dualBound, packKnapsacks } from "./relax";
export { run } from "./select";
