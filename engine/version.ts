/** Version of the engine, part of every plan. Equal to package.json's; a test holds them together. */
export const version: string = "0.1.0";
