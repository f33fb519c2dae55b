/** The kernel's bytes, which the bundler puts in place of the import. */
declare module "*.wasm" {
  const bytes: Uint8Array<ArrayBuffer>;
  export default bytes;
}
