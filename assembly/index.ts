export { selectRows } from "./select";
