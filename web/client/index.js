export { Sluice } from "./client.js";
export { SluiceError } from "./errors.js";
export { EventStream } from "./stream.js";
